//! The memory in which hashes are computed, 19 MiB for today's cost.

use argon2::{Algorithm, Argon2, Block, Params, Version};

use super::HashCost;

/// Memory that is kept from one hash to the next. Whoever computes many should have one: an allocator that gets such
/// pieces back and hands them out in crumbs soon has none left that is whole.
#[derive(Default)]
pub struct HashMemory(Vec<Block>);

impl HashMemory {
    /// Fills `hash` with the argon2id of the password; none if one of the numbers or lengths is out of its range.
    pub(super) fn compute(
        &mut self,
        HashCost { memory, passes, lanes }: HashCost,
        password: &str,
        salt: &[u8],
        hash: &mut [u8],
    ) -> Option<()> {
        let params = Params::new(memory, passes, lanes, Some(hash.len())).ok()?;
        let blocks = params.block_count();
        if self.0.len() < blocks {
            // First let go of what is too small.
            self.0 = Vec::new();
            self.0.resize(blocks, Block::default());
        }
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, hash, &mut self.0[..blocks]).ok()
    }
}
