//! Users and roles.

use std::collections::HashMap;

use gthulhu_lib::id::Id;
use mongodb::bson::{Bson, doc};

use super::{Image, Reader, int, number, oid};
use crate::domain::{PasswordHash, Policy, Role, Status, User};

/// The name under which the Go manager stores a policy's namespace of strategies: its own spelling.
const POLICY_NAMESPACE: &str = "policeNamespace";

/// Policies of roles whose permission this version does not know. They allow nothing here, and are written back as they
/// were with every change of their role: the manager that knows them may come back.
#[derive(Debug, Default, Clone)]
pub(in super::super) struct Strays(HashMap<Id, Vec<Bson>>);

impl Strays {
    pub(super) fn of(&self, role: Id) -> &[Bson] {
        self.0.get(&role).map_or(&[], Vec::as_slice)
    }
}

pub(super) fn write_user(user: &User, image: &mut Image) {
    image.put("username", user.username.as_str());
    image.put("password", user.password.as_phc());
    image.put("status", int(user.status.into()));
    image.put("roles", user.roles.clone());
    image.put("tokenVersion", number(user.token_version));
    image.put_time("createdTime", user.created_ms);
    image.put_time("updatedTime", user.updated_ms);
    image.put_unless_none("creatorID", user.creator.map(oid));
}

pub(super) fn read_user(reader: &Reader<'_>) -> Result<User, String> {
    let status = reader.number("status")?.ok_or("`status` is missing")?;
    Ok(User {
        id: reader.required_id("_id")?,
        username: reader.required_text("username")?,
        password: PasswordHash::from_phc(reader.required_text("password")?),
        status: Status::try_from(status).map_err(|_| "`status` must be 1, 2 or 3")?,
        roles: reader.texts("roles")?,
        token_version: reader.number("tokenVersion")?.map_or(Ok(0), |_| reader.count("tokenVersion"))?,
        created_ms: reader.number_or_zero("createdTime")?,
        updated_ms: reader.number_or_zero("updatedTime")?,
        creator: reader.id("creatorID")?,
    })
}

pub(super) fn write_role(role: &Role, strays: &[Bson], image: &mut Image) {
    let policy = |policy: &Policy| {
        Bson::from(doc! {
            "permissionKey": policy.permission.key(),
            "self": policy.own,
            "k8sNamespace": policy.k8s_namespace.as_str(),
            POLICY_NAMESPACE: policy.policy_namespace.as_str(),
        })
    };
    let policies: Vec<Bson> = role.policies.iter().map(policy).chain(strays.iter().cloned()).collect();
    image.put("name", role.name.as_str());
    image.put("description", role.description.as_str());
    image.put("policies", policies);
    image.put_time("createdTime", role.created_ms);
    image.put_time("updatedTime", role.updated_ms);
    image.put_unless_none("creatorID", role.creator.map(oid));
}

pub(super) fn read_role(reader: &Reader<'_>, strays: &mut Strays) -> Result<Role, String> {
    let id = reader.required_id("_id")?;
    let (mut policies, mut unknown) = (Vec::new(), Vec::new());
    for policy in reader.documents("policies")? {
        match policy.required_text("permissionKey")?.parse() {
            Ok(permission) => policies.push(Policy {
                permission,
                own: policy.flag("self")?,
                k8s_namespace: policy.text_or_empty("k8sNamespace")?,
                policy_namespace: match policy.text(POLICY_NAMESPACE)? {
                    Some(namespace) => namespace.to_owned(),
                    // As the validator of the Go manager has it.
                    None => policy.text_or_empty("policyNamespace")?,
                },
            }),
            Err(_) => unknown.push(Bson::from(policy.0.clone())),
        }
    }
    let role = Role {
        id,
        name: reader.required_text("name")?,
        description: reader.text_or_empty("description")?,
        policies,
        created_ms: reader.number_or_zero("createdTime")?,
        updated_ms: reader.number_or_zero("updatedTime")?,
        creator: reader.id("creatorID")?,
    };
    if unknown.is_empty() {
        strays.0.remove(&id);
    } else {
        strays.0.insert(id, unknown);
    }
    Ok(role)
}
