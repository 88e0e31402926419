//! What libbpf says while it loads: to the log, and kept, since only there is written why the verifier refused.

use std::sync::{Mutex, MutexGuard, PoisonError};

use libbpf_rs::PrintLevel;

use super::LoadError;

/// Lines at warning level since [`listen`]. The library takes a plain function, so this is the process's.
static HEARD: Mutex<String> = Mutex::new(String::new());

/// More than this of a verifier's log says nothing new.
const LONGEST: usize = 1 << 20;

fn heard() -> MutexGuard<'static, String> {
    HEARD.lock().unwrap_or_else(PoisonError::into_inner)
}

#[expect(clippy::needless_pass_by_value, reason = "the library's signature")]
fn hear(level: PrintLevel, text: String) {
    match level {
        PrintLevel::Warn => {
            tracing::debug!(target: "libbpf", "{}", text.trim_end());
            let mut heard = heard();
            if heard.len() + text.len() <= LONGEST {
                heard.push_str(&text);
            }
        }
        PrintLevel::Info | PrintLevel::Debug => tracing::trace!(target: "libbpf", "{}", text.trim_end()),
    }
}

/// What was heard since this was made.
pub(crate) struct Heard(());

/// Listens from now on.
pub(crate) fn listen() -> Heard {
    heard().clear();
    libbpf_rs::set_print(Some((PrintLevel::Debug, hear)));
    Heard(())
}

impl Heard {
    /// The verifier's refusal, if there was one.
    #[expect(clippy::unused_self, reason = "asking makes sense only after listening")]
    pub(crate) fn rejection(&self) -> Option<LoadError> {
        rejection(&heard())
    }
}

fn rejection(text: &str) -> Option<LoadError> {
    let (before, log) = text.split_once("-- BEGIN PROG LOAD LOG --")?;
    let (log, _) = log.split_once("-- END PROG LOAD LOG --").unwrap_or((log, ""));
    let program = before.rsplit("prog '").next()?.split('\'').next().unwrap_or_default().to_owned();
    // The last line before the statistics is what it stumbled over.
    let tells = |line: &&str| {
        !line.is_empty()
            && !["processed ", "verification time", "stack depth", "arg#", "max_states"]
                .iter()
                .any(|it| line.starts_with(it))
    };
    let reason = log.lines().map(str::trim).rfind(tells).unwrap_or("it does not say why").to_owned();
    // Without the capability the verifier refuses too, and says so.
    Some(LoadError::Rejected { program, reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_refusal_is_one_line_with_the_programs_name() {
        let text = "libbpf: prog 'gthulhu_enqueue': BPF program load failed: -EACCES\n\
                    libbpf: prog 'gthulhu_enqueue': -- BEGIN PROG LOAD LOG --\n\
                    0: R1=ctx() R10=fp0\n\
                    math between map_value pointer and register with unbounded min value is not allowed\n\
                    verification time 12 usec\nstack depth 16\n\
                    processed 17 insns (limit 1000000) max_states_per_insn 0\n\
                    -- END PROG LOAD LOG --\nlibbpf: failed to load object 'main'\n";
        let Some(LoadError::Rejected { program, reason }) = rejection(text) else { panic!("not seen") };
        assert_eq!(program, "gthulhu_enqueue");
        assert_eq!(
            reason,
            "math between map_value pointer and register with unbounded min value is not allowed"
        );
    }

    #[test]
    fn other_failures_are_no_refusal() {
        assert!(rejection("libbpf: failed to find valid kernel BTF\n").is_none());
        assert!(matches!(rejection("-- BEGIN PROG LOAD LOG --"), Some(LoadError::Rejected { .. })));
    }
}
