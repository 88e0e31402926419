//! What to try next, as lines that a shell runs as they are.

use std::path::Path;

/// The curl lines for a running stack: by hand what the demo does without.
pub fn lines(manager: &str, dm: &str, password_file: &Path, dm_public_key: &Path) -> Vec<String> {
    let (password, key) = (password_file.display(), dm_public_key.display());
    let field = |name: &str| format!("sed 's/.*\"{name}\":\"\\([^\"]*\\)\".*/\\1/'");
    let new = "eight-arms-and-one-scheduler";
    vec![
        format!("M={manager}/api/v1 D={dm}/api/v1"),
        "# log in with the one-time password, choose your own, log in again".to_owned(),
        format!("OLD=$(cat {password}) NEW={new}"),
        format!(
            "T=$(curl -s $M/auth/login -d '{{\"username\":\"admin@localhost\",\"password\":\"'$OLD'\"}}' | {})",
            field("token")
        ),
        "curl -s -X PUT $M/users/self/password -H \"Authorization: Bearer $T\" \
         -d '{\"oldPassword\":\"'$OLD'\",\"newPassword\":\"'$NEW'\"}'"
            .to_owned(),
        format!(
            "T=$(curl -s $M/auth/login -d '{{\"username\":\"admin@localhost\",\"password\":\"'$NEW'\"}}' | {})",
            field("token")
        ),
        "# create a strategy, list it, see its intents".to_owned(),
        "curl -s $M/strategies -H \"Authorization: Bearer $T\" \
         -d '{\"labelSelectors\":[{\"key\":\"app\",\"value\":\"upf\"}],\"priority\":3,\"executionTime\":5000000}'"
            .to_owned(),
        "curl -s $M/strategies/self -H \"Authorization: Bearer $T\"".to_owned(),
        "curl -s $M/intents/self -H \"Authorization: Bearer $T\"".to_owned(),
        "# what a scheduler on this node sees".to_owned(),
        format!(
            "S=$(curl -s $D/auth/token -d '{{\"public_key\":\"'\"$(awk '{{printf \"%s\\\\n\", $0}}' {key})\"'\"}}' | {})",
            field("token")
        ),
        "curl -s $D/scheduling/strategies -H \"Authorization: Bearer $S\"".to_owned(),
        "# delete it".to_owned(),
        format!("ID=$(curl -s $M/strategies/self -H \"Authorization: Bearer $T\" | {})", field("ID")),
        "curl -s -X DELETE $M/strategies -H \"Authorization: Bearer $T\" -d '{\"strategyId\":\"'$ID'\"}'".to_owned(),
    ]
}
