//! The JSON bodies of the manager's own routes, spelled as its clients spell them.
//!
//! Three naming styles live here because clients rely on each: camelCase in requests, PascalCase in the lists of
//! strategies and intents, snake_case where a node's answer is passed on. New fields are added, none is renamed.

mod accounts;
mod foresight;

use std::collections::BTreeMap;

use gthulhu_lib::id::Id;
use gthulhu_lib::intent::COMMAND_REGEX_BYTES_MAX;
use gthulhu_lib::intent::patterns::NAMESPACE_OR_NONE;
use gthulhu_lib::selector::Selector;
use gthulhu_lib::strategy::{PRIORITY_MAX, SLICE_MAX_NS, SLICE_MIN_NS};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::domain::PASSWORD_CHARS;

pub(super) use accounts::{
    DeleteRoleBody, NewRoleBody, NewUserBody, PermissionReply, PermissionsReply, PolicyBody, PolicyReply,
    ResetBody, RoleBody, RoleReply, RolesReply, UserBody, UserReply, UsersReply,
};

pub(super) use foresight::{
    ConflictReply, ExplainAnswer, PodMissReply, PodPreview, PodStoryReply, PreviewAnswer, Seeing, Seen,
    StrategyMissReply, StrategyOnPodReply, Totals, UnknownNode,
};

/// `POST /api/v1/auth/login`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["username", "password"]))]
pub(super) struct LoginBody {
    /// Case-sensitive.
    #[schemars(length(min = 1))]
    pub username: String,
    /// As typed.
    #[schemars(length(min = 1))]
    pub password: String,
}

/// The answer to a login.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct LoginReply {
    /// The token, under the name that older clients read.
    pub token: String,
    /// The same token.
    pub access_token: String,
    /// Good once, for new tokens.
    pub refresh_token: String,
}

/// `POST /api/v1/auth/refresh` and `POST /api/v1/auth/logout`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["refreshToken"]))]
pub(super) struct RefreshBody {
    /// As a login or a refresh answered it.
    #[schemars(length(min = 1))]
    pub refresh_token: String,
}

/// `GET /api/v1/auth/validate`
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct ValidReply {
    /// Always; a token that is not valid gets no such answer.
    pub valid: bool,
    /// The caller.
    pub uid: Id,
    /// Never; who must change his password gets no such answer.
    pub need_change_password: bool,
}

/// `PUT /api/v1/users/self/password`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("required" = ["oldPassword", "newPassword"]))]
pub(super) struct PasswordBody {
    /// The password until now.
    pub old_password: String,
    /// The password from now on.
    #[schemars(length(min = *PASSWORD_CHARS.start(), max = *PASSWORD_CHARS.end()))]
    pub new_password: String,
}

/// `POST` and `PUT /api/v1/strategies`; only PUT reads the id.
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct StrategyBody {
    /// Which strategy a PUT replaces.
    #[serde(alias = "strategyID")]
    pub strategy_id: String,
    /// Free text.
    pub strategy_namespace: String,
    /// All must hold.
    pub label_selectors: Vec<Selector>,
    /// Any of these.
    #[schemars(inner(regex(pattern = NAMESPACE_OR_NONE)))]
    pub k8s_namespace: Vec<String>,
    /// On the command name of each process.
    #[schemars(length(max = COMMAND_REGEX_BYTES_MAX), extend("format" = "regex"))]
    pub command_regex: String,
    /// 0 to 20.
    #[schemars(range(min = 0, max = PRIORITY_MAX))]
    pub priority: i64,
    /// Nanoseconds.
    #[schemars(extend("anyOf" = [{"const": 0}, {"minimum": SLICE_MIN_NS, "maximum": SLICE_MAX_NS}]))]
    pub execution_time: i64,
}

/// `DELETE /api/v1/strategies`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["strategyId"]))]
pub(super) struct DeleteStrategyBody {
    /// Which one.
    #[serde(rename = "strategyId", alias = "strategyID")]
    #[schemars(with = "Id")]
    pub strategy_id: String,
}

/// `DELETE /api/v1/intents`
#[derive(Deserialize, Default, JsonSchema)]
#[serde(default)]
#[schemars(extend("required" = ["intentIds"]))]
pub(super) struct DeleteIntentsBody {
    /// All of them or none.
    #[serde(rename = "intentIds", alias = "intentIDs")]
    #[schemars(with = "Vec<Id>", length(min = 1))]
    pub intent_ids: Vec<String>,
}

/// `GET /api/v1/strategies/self`
#[derive(Serialize, JsonSchema)]
pub(super) struct StrategiesReply {
    /// The caller's own.
    pub strategies: Vec<StrategyReply>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One strategy of a list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StrategyReply {
    /// Identity.
    #[serde(rename = "ID")]
    pub id: Id,
    /// Free text.
    pub strategy_namespace: String,
    /// As written; an empty key or value is left out.
    pub label_selectors: Vec<Selector>,
    /// As written; `null` when none was.
    pub k8s_namespace: Option<Vec<String>>,
    /// As written.
    pub command_regex: String,
    /// As written.
    pub priority: i64,
    /// As written.
    pub execution_time: i64,
    /// How far it has come.
    pub status: StrategyStatus,
    /// Who made it; only in the list of everybody's.
    #[serde(rename = "CreatorID", skip_serializing_if = "Option::is_none")]
    pub creator_id: Option<Id>,
}

/// How far a strategy has come.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct StrategyStatus {
    /// Pods it has an intent for.
    pub pods: usize,
    /// Nodes those pods are on.
    pub nodes: usize,
    /// Intents accepted by their node.
    pub accepted: usize,
    /// Intents whose node refused or could not be reached.
    pub failed: usize,
}

/// `GET /api/v1/intents/self`
#[derive(Serialize, JsonSchema)]
pub(super) struct IntentsReply {
    /// The caller's own.
    pub intents: Vec<IntentReply>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One intent of a list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "PascalCase")]
pub(super) struct IntentReply {
    /// Identity: a function of strategy and pod.
    #[serde(rename = "ID")]
    pub id: Id,
    /// The strategy it comes from.
    #[serde(rename = "StrategyID")]
    pub strategy_id: Id,
    /// The pod's uid.
    #[serde(rename = "PodID")]
    pub pod_id: String,
    /// The node's name.
    #[serde(rename = "NodeID")]
    pub node_id: String,
    /// The pod's namespace.
    pub k8s_namespace: String,
    /// As the strategy has it.
    pub command_regex: String,
    /// As the strategy has it.
    pub priority: i64,
    /// As the strategy has it.
    pub execution_time: i64,
    /// All labels of the pod.
    pub pod_labels: BTreeMap<String, String>,
    /// 1 made, 2 accepted by its node.
    pub state: u8,
    /// The pod's name.
    pub pod_name: String,
    /// Why the node has not accepted it; empty when nothing is wrong.
    pub last_error: String,
    /// The generation its node accepted last; 0 when none.
    pub generation: u64,
}

/// `GET /api/v1/nodes`
#[derive(Serialize, JsonSchema)]
pub(super) struct NodesReply {
    /// Every node of the cluster and of the configuration, by name.
    pub nodes: Vec<NodeReply>,
    /// Where the next page starts.
    #[serde(rename = "continue", skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// One node of a list.
#[derive(Serialize, JsonSchema)]
pub(super) struct NodeReply {
    /// Its name.
    pub name: String,
    /// `Ready`, `NotReady` or `Unknown`.
    pub status: &'static str,
}
