//! A manager as it is shipped, in this process, whose only user has as many strategies as are wanted.

use std::net::SocketAddr;
use std::sync::Arc;

use gthulhu_http::limits::Limits as ServerLimits;
use gthulhu_http::router::Router;
use gthulhu_http::shutdown::Trigger;
use gthulhu_http::{server, shutdown};
use gthulhu_lib::derive::StrategySpec;
use gthulhu_manager::api;
use gthulhu_manager::cluster::Absent;
use tokio::runtime::{Builder, Runtime};

use crate::Outcome;
use crate::assembled::{Assembled, assembled, user};
use crate::fixtures;
use crate::token::claims;

/// It stops when this is dropped.
pub(super) struct Serving {
    address: SocketAddr,
    token: String,
    _trigger: Trigger,
    _manager: Assembled,
    _runtime: Runtime,
}

impl Serving {
    pub(super) fn start(strategies: usize) -> Outcome<Self> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
        let entered = runtime.enter();
        let cluster = Arc::new(Absent::new("the benchmark has no pods"));
        let numbered = (1..=u32::try_from(strategies)?).zip(fixtures::strategies().into_iter().cycle());
        let numbered =
            numbered.map(|(number, spec)| StrategySpec { id: fixtures::id(number), ..(*spec).clone() });
        let assembled = assembled(cluster, numbered)?;
        let listener = server::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let (trigger, stopping) = shutdown::pair();
        let (app, router) = (Arc::clone(&assembled.manager.app), Router::new(api::routes())?);
        runtime.spawn(server::serve(listener, app, router, ServerLimits::default(), stopping));
        drop(entered);
        let token = assembled.manager.app.tokens.sign(&claims(&user(), 0))?;
        Ok(Self { address, token, _trigger: trigger, _manager: assembled, _runtime: runtime })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) fn token(&self) -> &str {
        &self.token
    }
}
