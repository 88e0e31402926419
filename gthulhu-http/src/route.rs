//! A route: method, path, who may call it, what it does, and a sentence for the reader of the table.
//!
//! Authorization is a value. A [`Policy`] looks at the head of a request and either refuses it or hands out a
//! *grant*; the handler takes that grant as an argument and passes it on to the service calls that demand it. The
//! policy is an argument of [`Route::new`], so a route without one is not a program:
//!
//! ```compile_fail,E0061
//! # use std::sync::Arc;
//! # use gthulhu_http::{call::Call, error::HttpError, reply::Reply, route::Route};
//! # use http::Method;
//! async fn hello(_: Arc<()>, _: (), _: Call) -> Result<Reply, HttpError> {
//!     Ok(Reply::done())
//! }
//! let route: Route<()> = Route::new(Method::GET, "/hello", hello, "Says hello.");
//! ```
//!
//! ```
//! # use std::sync::Arc;
//! # use gthulhu_http::{call::Call, error::HttpError, reply::Reply, route::{Public, Route}};
//! # use http::Method;
//! # async fn hello(_: Arc<()>, _: (), _: Call) -> Result<Reply, HttpError> {
//! #     Ok(Reply::done())
//! # }
//! let route: Route<()> = Route::new(Method::GET, "/hello", Public, hello, "Says hello.");
//! assert_eq!(route.policy(), "public");
//! ```

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use http::Method;

use crate::call::{Call, Head};
use crate::error::HttpError;
use crate::reply::Reply;

/// Who may call a route. Judged on the head alone: nothing of the body has been read yet.
pub trait Policy<A>: Send + Sync + 'static {
    /// The proof of admission that the handler receives.
    type Grant: Send + 'static;

    /// The policy as the table of routes shows it, for example `permission user.read`.
    fn name(&self) -> String;

    /// Admits the request or says why not. Must not block: it runs on the server's threads.
    fn admit(&self, app: &A, head: &Head) -> Result<Self::Grant, HttpError>;
}

/// Everybody may call the route.
#[derive(Clone, Copy, Debug)]
pub struct Public;

impl<A> Policy<A> for Public {
    type Grant = ();

    fn name(&self) -> String {
        "public".to_owned()
    }

    fn admit(&self, _app: &A, _head: &Head) -> Result<(), HttpError> {
        Ok(())
    }
}

/// What a handler returns, with its type forgotten.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Reply, HttpError>> + Send>>;
/// An admitted request waiting for its body: the handler with its grant already inside.
pub(crate) type Admitted<A> = Box<dyn FnOnce(Arc<A>, Call) -> Answer + Send>;
type Admit<A> = Box<dyn Fn(&A, &Head) -> Result<Admitted<A>, HttpError> + Send + Sync>;

/// One row of the table of routes.
pub struct Route<A> {
    method: Method,
    path: &'static str,
    policy: String,
    doc: &'static str,
    body_limit: Option<usize>,
    counted: bool,
    admit: Admit<A>,
}

impl<A: Send + Sync + 'static> Route<A> {
    /// A route. `path` may hold parameters, as `/api/v1/nodes/{nodeID}/pods/pids`; `doc` is one sentence.
    ///
    /// A handler that never waits is done where its request came in; one that waits goes on in a task of its own. A
    /// panic is a 500, and a caller who goes away stops nothing. When the request's deadline passes the handler is
    /// dropped where it awaits.
    pub fn new<P, H, F>(
        method: Method,
        path: &'static str,
        policy: P,
        handler: H,
        doc: &'static str,
    ) -> Route<A>
    where
        P: Policy<A>,
        H: Fn(Arc<A>, P::Grant, Call) -> F + Send + Sync + 'static,
        F: Future<Output = Result<Reply, HttpError>> + Send + 'static,
    {
        let name = policy.name();
        let handler = Arc::new(handler);
        let admit = move |app: &A, head: &Head| {
            let grant = policy.admit(app, head)?;
            let handler = Arc::clone(&handler);
            let admitted: Admitted<A> = Box::new(move |app, call| Box::pin(handler(app, grant, call)));
            Ok(admitted)
        };
        Route { method, path, policy: name, doc, body_limit: None, counted: true, admit: Box::new(admit) }
    }

    /// Takes bodies up to this many bytes instead of the server's limit.
    #[must_use]
    pub fn body_limit(mut self, bytes: usize) -> Route<A> {
        self.body_limit = Some(bytes);
        self
    }

    /// Answers also when the server is at its limit of requests in flight: for probes, which ask whether it lives.
    #[must_use]
    pub fn uncounted(mut self) -> Route<A> {
        self.counted = false;
        self
    }

    pub(crate) fn admit(&self, app: &A, head: &Head) -> Result<Admitted<A>, HttpError> {
        (self.admit)(app, head)
    }
}

impl<A> Route<A> {
    /// The method.
    pub fn method(&self) -> &Method {
        &self.method
    }

    /// The path, with its parameters in braces.
    pub fn path(&self) -> &'static str {
        self.path
    }

    /// The name of the policy.
    pub fn policy(&self) -> &str {
        &self.policy
    }

    /// The sentence about the route.
    pub fn doc(&self) -> &'static str {
        self.doc
    }

    pub(crate) fn own_body_limit(&self) -> Option<usize> {
        self.body_limit
    }

    /// Whether the route takes a place among the requests in flight, so that it can be refused for lack of one.
    pub fn is_counted(&self) -> bool {
        self.counted
    }
}

impl<A> fmt::Debug for Route<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({})", self.method, self.path, self.policy)
    }
}
