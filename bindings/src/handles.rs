//! Handles: numbers that look like pointers. They are looked up, never followed, so that one that was freed, or was never
//! given out, is found out, whatever its bits are.

use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Failure;
use crate::error::gthulhu_code::{GTHULHU_BAD_HANDLE, GTHULHU_NULL, GTHULHU_TOO_MANY};

/// Handles of one kind at a time.
const PLACES: usize = 256;

/// All handles of one kind.
pub(crate) struct Handles<T> {
    places: [Place<T>; PLACES],
    /// Held by whoever gives out or takes back.
    changing: Mutex<()>,
}

struct Place<T> {
    /// The handle that is given out for this place; 0: none.
    handle: AtomicUsize,
    /// What it stands for, made by `Arc::into_raw`.
    value: AtomicPtr<T>,
    /// How often it was given out; under the lock.
    times: AtomicUsize,
}

impl<T> Handles<T> {
    pub(crate) const fn new() -> Self {
        let places = [const {
            Place {
                handle: AtomicUsize::new(0),
                value: AtomicPtr::new(std::ptr::null_mut()),
                times: AtomicUsize::new(0),
            }
        }; PLACES];
        Handles { places, changing: Mutex::new(()) }
    }

    /// Gives out a handle that was not given out before.
    pub(crate) fn give<H>(&self, value: Arc<T>) -> Result<*mut H, Failure> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let free =
            self.places.iter().enumerate().find(|(_, place)| place.handle.load(Ordering::Relaxed) == 0);
        let (at, place) = free.ok_or_else(|| Failure::from(GTHULHU_TOO_MANY))?;
        let times = place.times.load(Ordering::Relaxed) + 1;
        place.times.store(times, Ordering::Relaxed);
        let handle = times * PLACES + at;
        place.value.store(Arc::into_raw(value).cast_mut(), Ordering::Relaxed);
        place.handle.store(handle, Ordering::Release);
        Ok(std::ptr::without_provenance_mut(handle))
    }

    /// What a handle stands for, kept alive meanwhile.
    pub(crate) fn get<H>(&self, handle: *const H) -> Result<Arc<T>, Failure> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let value: *const T = self.find(handle)?;
        // SAFETY: it was made by `Arc::into_raw`, and nobody takes it back meanwhile.
        unsafe {
            Arc::increment_strong_count(value);
            Ok(Arc::from_raw(value))
        }
    }

    /// What a handle stands for, without a lock.
    ///
    /// # Safety
    ///
    /// The handle is not freed while this is in use. One that was freed before is found out.
    #[inline]
    pub(crate) unsafe fn peek<H>(&self, handle: *const H) -> Result<&T, Failure> {
        let value = self.find(handle)?;
        // SAFETY: it was made by `Arc::into_raw`, and lives until the handle is freed.
        Ok(unsafe { &*value })
    }

    /// Takes a handle back. Of several who try, one does.
    pub(crate) fn take<H>(&self, handle: *mut H) -> Result<(), Failure> {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        let value: *const T = self.find(handle)?;
        self.places[handle.addr() % PLACES].handle.store(0, Ordering::Relaxed);
        // SAFETY: it was made by `Arc::into_raw`, and nobody finds it any more.
        drop(unsafe { Arc::from_raw(value) });
        Ok(())
    }

    #[inline]
    fn find<H>(&self, handle: *const H) -> Result<*mut T, Failure> {
        if handle.is_null() {
            return Err(GTHULHU_NULL.into());
        }
        let place = &self.places[handle.addr() % PLACES];
        if place.handle.load(Ordering::Acquire) != handle.addr() {
            return Err(GTHULHU_BAD_HANDLE.into());
        }
        Ok(place.value.load(Ordering::Relaxed))
    }

    /// As [`Handles::peek`], without a word on why not.
    ///
    /// # Safety
    ///
    /// As for [`Handles::peek`].
    #[inline]
    pub(crate) unsafe fn glance<H>(&self, handle: *const H) -> Option<&T> {
        let place = &self.places[handle.addr() % PLACES];
        // A place that is free has the handle 0, which NULL is as well.
        if handle.is_null() || place.handle.load(Ordering::Acquire) != handle.addr() {
            return None;
        }
        // SAFETY: as for `peek`.
        Some(unsafe { &*place.value.load(Ordering::Relaxed) })
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    fn code(outcome: Result<(), Failure>) -> u32 {
        outcome.map_or_else(|failure| failure.0 as u32, |()| 0)
    }

    #[test]
    fn a_handle_that_was_freed_is_found_out_also_when_its_place_is_in_use_again() {
        let handles = Handles::<String>::new();
        let first: *mut u8 = handles.give(Arc::new("first".to_owned())).expect("there is room");
        assert_eq!(*handles.get(first).expect("given out"), "first");
        assert_eq!(code(handles.take(first)), 0);
        assert_eq!(code(handles.take(first)), GTHULHU_BAD_HANDLE as u32, "freed twice");
        let second: *mut u8 = handles.give(Arc::new("second".to_owned())).expect("there is room");
        assert_ne!(first, second);
        assert_eq!(code(handles.take(first)), GTHULHU_BAD_HANDLE as u32, "freed long ago");
        // SAFETY: nobody frees it meanwhile.
        assert_eq!(unsafe { handles.glance(second) }, Some(&"second".to_owned()));
        // SAFETY: as above.
        assert!(unsafe { handles.glance(first) }.is_none() && unsafe { handles.peek(first) }.is_err());
        assert_eq!(code(handles.take(std::ptr::null_mut::<u8>())), GTHULHU_NULL as u32);
        for odd in [1, 255, 256, usize::MAX] {
            let odd: *mut u8 = std::ptr::without_provenance_mut(odd);
            assert_eq!(code(handles.take(odd)), GTHULHU_BAD_HANDLE as u32);
        }
        assert_eq!(code(handles.take(second)), 0);
    }

    #[test]
    fn there_are_so_many_and_what_they_stand_for_goes_with_them() {
        let handles = Handles::<u8>::new();
        let value = Arc::new(7);
        let given: Vec<*mut u8> =
            (0..PLACES).map(|_| handles.give(Arc::clone(&value)).expect("there is room")).collect();
        let more: Result<*mut u8, _> = handles.give(Arc::clone(&value));
        assert_eq!(more.map_err(|failure| failure.0), Err(GTHULHU_TOO_MANY));
        for handle in given {
            assert!(handles.take(handle).is_ok());
        }
        assert_eq!(Arc::strong_count(&value), 1);
    }

    #[test]
    fn of_eight_who_free_the_same_handle_one_does() {
        let handles = Handles::<u8>::new();
        for _ in 0..200 {
            let given = handles.give::<u8>(Arc::new(7)).expect("there is room").addr();
            let done: usize = thread::scope(|scope| {
                let free = || handles.take(std::ptr::without_provenance_mut::<u8>(given)).is_ok();
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(free)).collect();
                threads.into_iter().map(|thread| usize::from(thread.join().expect("no panic"))).sum()
            });
            assert_eq!(done, 1);
        }
    }
}
