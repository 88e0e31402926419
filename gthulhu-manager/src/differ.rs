//! Where two maps by node differ. What is the same is the same allocation, so nothing that is held is looked at, and the
//! price is a walk along both maps.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::iter::from_fn;
use std::sync::Arc;

/// Something for each node, shared with whoever else has the same.
pub(crate) type ByNode<V> = BTreeMap<Arc<str>, Arc<V>>;

/// A node that has something else than it had.
pub(crate) struct Differs<'a, V: ?Sized> {
    pub(crate) node: &'a Arc<str>,
    /// What it had, if it was there.
    pub(crate) before: Option<&'a Arc<V>>,
    /// What it has, if it is there.
    pub(crate) now: Option<&'a Arc<V>>,
}

/// The nodes that have something else now than before, in order of their names.
pub(crate) fn differing<'a, V: ?Sized>(
    before: &'a ByNode<V>,
    now: &'a ByNode<V>,
) -> impl Iterator<Item = Differs<'a, V>> {
    let (mut old, mut new) = (before.iter().peekable(), now.iter().peekable());
    from_fn(move || {
        loop {
            let order = match (old.peek(), new.peek()) {
                (None, None) => return None,
                (Some(_), None) => Ordering::Less,
                (None, Some(_)) => Ordering::Greater,
                // Most names are the same allocation, too.
                (Some((one, _)), Some((other, _))) if Arc::ptr_eq(one, other) => Ordering::Equal,
                (Some((one, _)), Some((other, _))) => one.cmp(other),
            };
            let known = if order.is_le() { old.next() } else { None };
            let shown = if order.is_ge() { new.next() } else { None };
            match (known, shown) {
                (Some((_, had)), Some((_, has))) if Arc::ptr_eq(had, has) => {}
                _ => {
                    let node = known.or(shown)?.0;
                    return Some(Differs {
                        node,
                        before: known.map(|(_, had)| had),
                        now: shown.map(|(_, has)| has),
                    });
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_went_or_is_another_is_told_and_nothing_else() {
        let same: Arc<u32> = Arc::new(7);
        let map = |entries: &[(&str, &Arc<u32>)]| -> ByNode<u32> {
            entries.iter().map(|(node, value)| ((*node).into(), Arc::clone(value))).collect()
        };
        let equal = Arc::new(7);
        let before = map(&[("a", &same), ("b", &same), ("c", &same), ("f", &same)]);
        let now = map(&[("b", &same), ("c", &equal), ("d", &same), ("g", &same)]);
        let told: Vec<_> = differing(&before, &now)
            .map(|one| (&**one.node, one.before.is_some(), one.now.is_some()))
            .collect();
        let wanted = [
            ("a", true, false),
            ("c", true, true),
            ("d", false, true),
            ("f", true, false),
            ("g", false, true),
        ];
        assert_eq!(told, wanted);
        assert_eq!(differing(&before, &before.clone()).count(), 0);
        assert_eq!(differing(&ByNode::default(), &now).count(), now.len());
    }
}
