//! The table of strategies for those who read it by themselves: they get its file, which they can only read.

use gthulhu_lib::{
    strategy::table::{LAYOUT, StrategyTable},
    wire::feed::{Frame, Table},
};

use super::stream::{Gone, Outgoing, bytes};

/// Hands a reader the table.
pub(super) async fn give(outgoing: &mut Outgoing, table: &StrategyTable) -> Result<(), Gone> {
    let file = table.file().ok_or_else(|| Gone::Refused("this system has no files for tables".to_owned()))?;
    let frame = bytes(&Frame::Table(Table { layout: LAYOUT, pid_max: table.pid_max() }))?;
    outgoing.send_with(&frame, file).await
}
