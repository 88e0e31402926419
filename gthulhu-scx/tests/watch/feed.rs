//! `monitor` with a real decision maker, which finds processes by what it is told while it is told anything.

use serde_json::json;

use crate::actors::Idle;
use crate::dm::Place;
use crate::monitor::{NEEDED, Running, monitor, works};
use crate::pods::Pods;
use crate::table::A;

const STRATEGIES: &str = "/api/v1/scheduling/strategies";
const READY: &str = "/readyz?verbose";

/// The pods are below a root that only the monitor knows: without it the decision maker sees none of them.
#[test]
fn a_decision_maker_knows_what_a_monitor_tells_while_both_are_there() {
    let test = "a_decision_maker_knows_what_a_monitor_tells_while_both_are_there";
    let Some(pods) = Pods::new(test) else { return };
    let container = pods.container(A);
    let [first, second] = [Idle::start(), Idle::start()];
    container.add(first.pid());
    if !works(&pods, test) {
        return;
    }
    let row = |idle: &Idle| format!("\"pid\":{}}}", idle.pid());
    let place = Place::new();
    let dm = place.start();
    dm.push(&json!({"intents": [{"podID": A, "priority": 3}], "epoch": 1, "generation": 1}));
    dm.shows(STRATEGIES, "\"scheduling\":[]");
    let start = || {
        let mut command = monitor(&pods, NEEDED);
        command.arg("--feed").arg(place.socket());
        Running::start(command)
    };
    let running = start();
    dm.shows(READY, "[+] processes: found by monitor");
    dm.shows(STRATEGIES, &row(&first));
    container.add(second.pid());
    dm.shows(STRATEGIES, &row(&second));
    drop(running);
    dm.shows(READY, "[+] processes: found by proc-");
    dm.shows(STRATEGIES, "\"scheduling\":[]");

    // The monitor finds the decision maker whenever it is there.
    let _running = start();
    dm.shows(STRATEGIES, &row(&second));
    dm.kill();
    drop(first);
    let dm = place.start();
    dm.shows(READY, "[+] processes: found by monitor");
    dm.shows(STRATEGIES, &row(&second));
    dm.stop();
}
