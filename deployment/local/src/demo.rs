//! The demo: one strategy from login to removal. Every fact comes from the daemons over HTTP and is compared with what
//! the kernel says at that moment; the first that differs ends it.

mod compare;
pub mod session;
mod steps;

use std::collections::BTreeSet;

use gthulhu_http::random;
use serde_json::{Value, json};

use crate::error::LocalError;
use crate::http::Api;
use crate::kernel::Task;
use crate::pods::{Pod, ProcessSpec};
use crate::stack::{Ports, Stack};
use crate::{wait, workloads};
use compare::Wanted;
pub use steps::Steps;

const STRATEGIES: &str = "/api/v1/strategies";
const OWN_STRATEGIES: &str = "/api/v1/strategies/self";
const OWN_INTENTS: &str = "/api/v1/intents/self";

/// Runs the whole demo on free ports, noting each step in `steps`.
pub async fn run(steps: &mut Steps) -> Result<(), LocalError> {
    let (stack, mut upf, web) = steps.step("start both daemons and two pods", start()).await?;
    let scene = steps.step("log in, change the password", open(&stack)).await?;
    steps.step("list the node's processes", scene.processes(&stack, [&upf, &web])).await?;

    let strong = Asked { priority: 3, execution_time: 5_000_000, regex: "" };
    let id = steps.step("create a strategy for app=upf", scene.create(strong, &upf)).await?;
    steps.step("fork in the pod", scene.fork(strong, &mut upf)).await?;
    let workers = Asked { priority: 15, execution_time: 20_000_000, regex: "^upf-worker$" };
    steps.step("change it: workers only, weaker", scene.change(&id, workers, &upf)).await?;
    steps.step("delete it", scene.delete(&id)).await?;
    steps.step("take everything down", async { take_down(stack, vec![upf, web]) }).await
}

async fn start() -> Result<(String, (Stack, Pod, Pod)), LocalError> {
    let stack = Stack::start(Ports::default(), None).await?;
    let (upf, web) = (stack.pod(workloads::upf())?, stack.pod(workloads::nginx())?);
    let seen = format!("manager {} and dm {} ready", stack.manager(), stack.dm());
    Ok((seen, (stack, upf, web)))
}

/// The one-time password opens nothing but its own change; the new one opens everything, the old one nothing.
async fn open(stack: &Stack) -> Result<(String, Scene), LocalError> {
    let manager = Api::new(stack.manager());
    let (old, new) = (session::one_time_password(stack)?, random::password());
    let restricted = session::log_in(&manager, &old).await?;
    restricted.get(OWN_STRATEGIES).await?.refused(403, "password change required")?;
    session::change_password(&restricted, &old, &new).await?;

    let again = json!({"username": session::ADMIN, "password": old});
    let refused = manager.call("POST", "/api/v1/auth/login", &again).await?;
    refused.refused(401, "invalid username or password")?;
    let admin = session::log_in(&manager, &new).await?;
    let user = admin.get("/api/v1/users/self").await?.data()?;
    if user["username"] != session::ADMIN || user["status"] != 1 {
        return Err(LocalError::NotSeen(format!("{} with status 1, but {user}", session::ADMIN)));
    }
    let scene = Scene { admin, scheduler: session::scheduler(stack).await? };
    Ok((format!("{} active; 403 before, old password refused", session::ADMIN), scene))
}

fn take_down(stack: Stack, pods: Vec<Pod>) -> Result<(String, ()), LocalError> {
    let mut made: Vec<_> = pods.iter().map(|pod| pod.cgroup().to_path_buf()).collect();
    made.push(stack.dir().to_path_buf());
    drop(pods);
    stack.stop()?;
    match made.iter().find(|path| path.exists()) {
        Some(path) => Err(LocalError::NotSeen(format!("the end of {}", path.display()))),
        None => Ok(("daemons ended, cgroups and files gone".to_owned(), ())),
    }
}

/// What a strategy of the demo asks for.
#[derive(Clone, Copy)]
struct Asked {
    priority: i64,
    execution_time: u64,
    regex: &'static str,
}

impl Asked {
    fn body(self) -> Value {
        json!({
            "labelSelectors": [{"key": "app", "value": "upf"}],
            "priority": self.priority,
            "executionTime": self.execution_time,
            "commandRegex": self.regex,
        })
    }

    /// The tasks of `pod` that it governs: whole processes, chosen by their leader's name, never `pause`.
    fn governs(self, pod: &Pod) -> Result<BTreeSet<Task>, LocalError> {
        let tasks = pod.tasks()?;
        let exactly = self.regex.trim_start_matches('^').trim_end_matches('$');
        let chosen = |leader: &Task| leader.comm != "pause" && (exactly.is_empty() || leader.comm == exactly);
        let leaders: BTreeSet<u32> =
            tasks.iter().filter(|task| task.tid == task.tgid && chosen(task)).map(|task| task.tid).collect();
        Ok(tasks.into_iter().filter(|task| leaders.contains(&task.tgid)).collect())
    }
}

/// An administrator and a scheduler, both with their tokens.
struct Scene {
    admin: Api,
    scheduler: Api,
}

impl Scene {
    async fn processes(&self, stack: &Stack, pods: [&Pod; 2]) -> Result<(String, ()), LocalError> {
        let path = format!("/api/v1/nodes/{}/pods/pids", stack.node());
        wait::until(async || {
            let told = session::list(&self.admin, &path, "pods").await?;
            for pod in pods {
                let entry = told.iter().find(|entry| entry["pod_uid"] == pod.uid());
                let Some(entry) = entry else {
                    return Ok(Err(format!("pod {} is not listed", pod.spec().name)));
                };
                if let Err(difference) = compare::processes(&entry["processes"], &pod.tasks()?) {
                    return Ok(Err(format!("pod {}: {difference}", pod.spec().name)));
                }
            }
            Ok(Ok(()))
        })
        .await?;
        let count = pods.iter().map(|pod| pod.procs().map(|procs| procs.len())).sum::<Result<usize, _>>()?;
        Ok((format!("{count} processes in 2 pods on {}, as in cgroup.procs", stack.node()), ()))
    }

    async fn create(&self, asked: Asked, pod: &Pod) -> Result<(String, String), LocalError> {
        let rows = self.rows().await?;
        if !rows.is_empty() {
            return Err(LocalError::NotSeen(format!(
                "an empty list before the first strategy, but {rows:?}"
            )));
        }
        self.admin.call("POST", STRATEGIES, &asked.body()).await?.done()?;
        let strategies = session::list(&self.admin, OWN_STRATEGIES, "strategies").await?;
        let id = match &strategies[..] {
            [one] => one["ID"].as_str().unwrap_or_default().to_owned(),
            other => return Err(LocalError::NotSeen(format!("one strategy, but {other:?}"))),
        };
        let seen = self.governed(asked, pod).await?;
        Ok((seen, id))
    }

    async fn fork(&self, asked: Asked, pod: &mut Pod) -> Result<(String, ()), LocalError> {
        let pid = pod.fork(&ProcessSpec::new("upf-worker", 2))?;
        let seen = self.governed(asked, pod).await?;
        Ok((format!("pid {pid} and its threads; {seen}"), ()))
    }

    async fn change(&self, id: &str, asked: Asked, pod: &Pod) -> Result<(String, ()), LocalError> {
        let mut body = asked.body();
        body["strategyId"] = json!(id);
        self.admin.call("PUT", STRATEGIES, &body).await?.done()?;
        Ok((self.governed(asked, pod).await?, ()))
    }

    async fn delete(&self, id: &str) -> Result<(String, ()), LocalError> {
        self.admin.call("DELETE", STRATEGIES, &json!({"strategyId": id})).await?.done()?;
        wait::until(async || {
            let rows = self.rows().await?;
            Ok(if rows.is_empty() { Ok(()) } else { Err(format!("{} rows left on the dm", rows.len())) })
        })
        .await?;
        for (path, name) in [(OWN_STRATEGIES, "strategies"), (OWN_INTENTS, "intents")] {
            let left = session::list(&self.admin, path, name).await?;
            if !left.is_empty() {
                return Err(LocalError::NotSeen(format!("no {name}, but {left:?}")));
            }
        }
        Ok(("no row, no intent, no strategy left".to_owned(), ()))
    }

    /// Waits until the decision maker governs exactly the tasks of `pod` that `asked` chooses, no other task of this
    /// machine, and the manager knows that its one intent was accepted.
    async fn governed(&self, asked: Asked, pod: &Pod) -> Result<String, LocalError> {
        let wanted = Wanted {
            priority: asked.priority,
            execution_time: asked.execution_time,
            regex: asked.regex.to_owned(),
            labels: pod.spec().labels.clone(),
        };
        let tasks = asked.governs(pod)?;
        wait::until(async || {
            let answer = self.scheduler.get("/api/v1/scheduling/strategies").await?.json()?;
            Ok(compare::strategies(&answer, &tasks, &wanted))
        })
        .await?;
        wait::until(async || {
            let intents = session::list(&self.admin, OWN_INTENTS, "intents").await?;
            let accepted = |intent: &Value| intent["PodID"] == pod.uid() && intent["State"] == 2;
            Ok(if intents.len() == 1 && intents.iter().all(accepted) {
                Ok(())
            } else {
                Err(format!("{intents:?}"))
            })
        })
        .await?;
        let pids: Vec<_> =
            tasks.iter().filter(|task| task.tid == task.tgid).map(|task| task.tid.to_string()).collect();
        let slice = asked.execution_time / 1_000_000;
        Ok(format!(
            "pids {} ({} tasks) at priority {}, {slice} ms",
            pids.join(" "),
            tasks.len(),
            asked.priority
        ))
    }

    async fn rows(&self) -> Result<Vec<Value>, LocalError> {
        let answer = self.scheduler.get("/api/v1/scheduling/strategies").await?.json()?;
        answer["scheduling"]
            .as_array()
            .cloned()
            .ok_or_else(|| LocalError::NotSeen(format!("rows, but {answer}")))
    }
}
