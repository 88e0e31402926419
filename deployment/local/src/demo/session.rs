//! The administrator's calls to the manager and the scheduler's to the decision maker.

use std::fs;

use gthulhu_http::random;
use serde_json::{Value, json};

use crate::error::LocalError;
use crate::http::Api;
use crate::stack::Stack;

/// The first user of a fresh manager.
pub const ADMIN: &str = "admin@localhost";

/// The one-time password, as the manager wrote it.
pub fn one_time_password(stack: &Stack) -> Result<String, LocalError> {
    let path = stack.password_file();
    Ok(fs::read_to_string(&path).map_err(LocalError::file(&path))?.trim_end().to_owned())
}

/// Logs the administrator in.
pub async fn log_in(manager: &Api, password: &str) -> Result<Api, LocalError> {
    let body = json!({"username": ADMIN, "password": password});
    let data = manager.call("POST", "/api/v1/auth/login", &body).await?.data()?;
    token(&data).map(|token| manager.with_token(token))
}

/// Changes the administrator's password.
pub async fn change_password(manager: &Api, old: &str, new: &str) -> Result<(), LocalError> {
    let body = json!({"oldPassword": old, "newPassword": new});
    manager.call("PUT", "/api/v1/users/self/password", &body).await?.done()
}

/// The administrator of a fresh manager, with a password of their own.
pub async fn administrator(stack: &Stack) -> Result<Api, LocalError> {
    let manager = Api::new(stack.manager());
    let (old, new) = (one_time_password(stack)?, random::password());
    change_password(&log_in(&manager, &old).await?, &old, &new).await?;
    log_in(&manager, &new).await
}

/// The decision maker as a scheduler on the same machine calls it: the public key is exchanged for a token.
pub async fn scheduler(stack: &Stack) -> Result<Api, LocalError> {
    let path = stack.dm_public_key();
    let key = fs::read_to_string(&path).map_err(LocalError::file(&path))?;
    let dm = Api::new(stack.dm());
    let data = dm.call("POST", "/api/v1/auth/token", &json!({"public_key": key})).await?.data()?;
    token(&data).map(|token| dm.with_token(token))
}

/// The list `name` in the data of GET `path`.
pub async fn list(api: &Api, path: &str, name: &str) -> Result<Vec<Value>, LocalError> {
    let data = api.get(path).await?.data()?;
    data[name].as_array().cloned().ok_or_else(|| LocalError::NotSeen(format!("a list {name} in GET {path}")))
}

fn token(data: &Value) -> Result<&str, LocalError> {
    data["token"].as_str().ok_or_else(|| LocalError::NotSeen("a token in the answer to a login".to_owned()))
}
