//! What the Go manager does not have: exclusions, sessions, and the last answer of each node.

use mongodb::bson::Bson;

use super::{Image, Reader, number, oid};
use crate::domain::{Exclusion, LoginSession, NodeAck};

pub(super) fn write_exclusion(exclusion: &Exclusion, image: &mut Image) {
    image.put("strategyID", oid(exclusion.strategy));
    image.put("podID", exclusion.pod_uid.as_str());
    image.put("creatorID", oid(exclusion.creator));
    image.put("createdTime", Bson::Int64(exclusion.at_ms));
}

pub(super) fn read_exclusion(reader: &Reader<'_>) -> Result<Exclusion, String> {
    Ok(Exclusion {
        id: reader.required_id("_id")?,
        strategy: reader.required_id("strategyID")?,
        pod_uid: reader.required_text("podID")?,
        creator: reader.required_id("creatorID")?,
        at_ms: reader.number_or_zero("createdTime")?,
    })
}

pub(super) fn write_session(session: &LoginSession, image: &mut Image) {
    image.put("userID", oid(session.user));
    image.put("tokenVersion", number(session.generation));
    image.put("tokenHash", session.token_hash.as_str());
    image.put("createdTime", Bson::Int64(session.created_ms));
    image.put("updatedTime", Bson::Int64(session.refreshed_ms));
    image.put("expiresAt", Bson::Int64(session.expires_ms));
}

pub(super) fn read_session(reader: &Reader<'_>) -> Result<LoginSession, String> {
    Ok(LoginSession {
        id: reader.required_id("_id")?,
        user: reader.required_id("userID")?,
        generation: reader.count("tokenVersion")?,
        token_hash: reader.required_text("tokenHash")?,
        created_ms: reader.number_or_zero("createdTime")?,
        refreshed_ms: reader.number_or_zero("updatedTime")?,
        expires_ms: reader.number_or_zero("expiresAt")?,
    })
}

pub(super) fn write_ack(ack: &NodeAck, image: &mut Image) {
    image.put("epoch", number(ack.epoch));
    image.put("generation", number(ack.generation));
    image.put("at", Bson::Int64(ack.at_ms));
    image.put_unless_none("error", ack.error.clone().map(Bson::String));
}

pub(super) fn read_ack(reader: &Reader<'_>) -> Result<NodeAck, String> {
    Ok(NodeAck {
        node: reader.required_text("_id")?,
        epoch: reader.count("epoch")?,
        generation: reader.count("generation")?,
        error: reader.text("error")?.map(str::to_owned),
        at_ms: reader.number_or_zero("at")?,
    })
}
