//! A dense table whose entries are named by index and generation.
//!
//! An entry is retired first (its name goes stale, the index stays taken, completions still find it by
//! index) and removed later (the index is free again). Must never give out an index that is still taken.

/// Index and generation of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Id {
    pub(super) index: u32,
    generation: u32,
}

impl Id {
    pub(super) fn position(self) -> usize {
        position(self.index)
    }
}

fn position(index: u32) -> usize {
    // Linux on the machines that io_uring runs on has at least 32-bit addresses.
    usize::try_from(index).unwrap_or(usize::MAX)
}

struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

/// See the module.
pub(super) struct Table<T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
}

impl<T> Table<T> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new(), free: Vec::new() }
    }

    /// Adds an entry under a free index, or under a new one.
    pub(super) fn insert(&mut self, value: T) -> Id {
        if let Some(index) = self.free.pop()
            && let Some(slot) = self.slots.get_mut(position(index))
        {
            debug_assert!(slot.value.is_none());
            slot.value = Some(value);
            return Id { index, generation: slot.generation };
        }
        // A process has far fewer than 2^32 descriptors, and each entry holds one.
        let index = u32::try_from(self.slots.len()).unwrap_or(u32::MAX);
        self.slots.push(Slot { generation: 0, value: Some(value) });
        Id { index, generation: 0 }
    }

    /// The entry, unless its name is stale.
    pub(super) fn get(&self, id: Id) -> Option<&T> {
        let slot = self.slots.get(id.position())?;
        if slot.generation == id.generation { slot.value.as_ref() } else { None }
    }

    /// The entry, unless its name is stale.
    pub(super) fn get_mut(&mut self, id: Id) -> Option<&mut T> {
        let slot = self.slots.get_mut(id.position())?;
        if slot.generation == id.generation { slot.value.as_mut() } else { None }
    }

    /// The entry at an index, retired or not, with its present name.
    pub(super) fn at(&mut self, index: u32) -> Option<(Id, &mut T)> {
        let slot = self.slots.get_mut(position(index))?;
        let id = Id { index, generation: slot.generation };
        slot.value.as_mut().map(|value| (id, value))
    }

    /// Makes the name stale and keeps the entry.
    pub(super) fn retire(&mut self, id: Id) {
        if let Some(slot) = self.slots.get_mut(id.position())
            && slot.generation == id.generation
        {
            slot.generation = slot.generation.wrapping_add(1);
        }
    }

    /// Takes a retired entry out; its index is free from then on.
    pub(super) fn remove(&mut self, index: u32) -> Option<T> {
        let value = self.slots.get_mut(position(index))?.value.take();
        if value.is_some() {
            self.free.push(index);
        }
        value
    }

    /// Entries that are there, retired ones included.
    pub(super) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_retired_name_is_stale_while_its_index_stays_taken() {
        let mut table = Table::new();
        let first = table.insert('a');
        table.retire(first);
        assert_eq!(table.get(first), None);
        assert_eq!(table.at(first.index).map(|(_, value)| *value), Some('a'));
        let second = table.insert('b');
        assert_ne!(second.index, first.index);
    }

    #[test]
    fn a_freed_index_comes_back_under_another_name() {
        let mut table = Table::new();
        let first = table.insert('a');
        table.retire(first);
        assert_eq!(table.remove(first.index), Some('a'));
        let second = table.insert('b');
        assert_eq!(second.index, first.index);
        assert_eq!(table.get_mut(first), None);
        assert_eq!(table.get(second), Some(&'b'));
        assert_eq!(table.len(), 1);
    }
}
