//! What this node is called, in answers and in metrics.

use std::fs;

use crate::config;

/// The names of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// `node_name` in answers: the configured name, else `NODE_NAME`, else the host's name.
    pub name: String,
    /// The label of our metrics: the configured name, else `NODE_NAME`, else `MACHINE_ID`, else the machine id.
    pub machine_id: String,
}

/// What a machine without any id is called.
const UNKNOWN: &str = "unknown-machine-id";

impl Identity {
    /// Looks the names up, once, at start.
    pub fn of_this_machine(node: &config::Node, env: impl Fn(&str) -> Option<String>) -> Identity {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let machine_id = fs::read_to_string("/etc/machine-id").unwrap_or_default();
        Identity::choose(node, env, host, &machine_id)
    }

    fn choose(
        node: &config::Node,
        env: impl Fn(&str) -> Option<String>,
        host: String,
        machine_id: &str,
    ) -> Identity {
        let set = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let variable = |name: &str| env(name).and_then(|value| set(&value));
        let name = set(&node.name).or_else(|| variable("NODE_NAME"));
        let machine_id = name
            .clone()
            .or_else(|| variable("MACHINE_ID"))
            .or_else(|| set(machine_id))
            .unwrap_or_else(|| UNKNOWN.to_owned());
        Identity { name: name.unwrap_or(host), machine_id }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_that_is_set_is_taken() {
        let rows = [
            // configured, NODE_NAME, MACHINE_ID, /etc/machine-id -> name, machine_id
            ("n0", "n1", "m1", "id\n", "n0", "n0"),
            ("", "n1", "m1", "id\n", "n1", "n1"),
            ("", " ", "m1", "id\n", "host", "m1"),
            ("", "", "", "id\n", "host", "id"),
            ("", "", "", "", "host", UNKNOWN),
        ];
        for (configured, node_name, machine_variable, file, name, machine_id) in rows {
            let node = config::Node { name: configured.to_owned(), ..config::Node::default() };
            let env = |variable: &str| match variable {
                "NODE_NAME" => Some(node_name.to_owned()),
                "MACHINE_ID" => Some(machine_variable.to_owned()),
                _ => None,
            };
            let chosen = Identity::choose(&node, env, "host".to_owned(), file);
            assert_eq!(chosen, Identity { name: name.to_owned(), machine_id: machine_id.to_owned() });
        }
    }

    #[test]
    fn this_machine_has_a_name() {
        let identity = Identity::of_this_machine(&config::Node::default(), |_| None);
        assert!(!identity.name.is_empty() && !identity.machine_id.is_empty());
    }
}
