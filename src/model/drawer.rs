//! What one plugin keeps for one session.

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

/// State of one in-process plugin in one session: one value per type, made at first use, gone with the session.
#[derive(Default)]
pub struct Drawer(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Drawer {
    /// The value of type `T`, made with its default at first use.
    pub fn get<T: Default + Send + Sync + 'static>(&self) -> Arc<T> {
        let mut values = self.0.lock().expect("no holder of this lock panics");
        let value = values
            .entry(TypeId::of::<T>())
            .or_insert_with(|| Arc::new(T::default()));
        Arc::clone(value)
            .downcast()
            .expect("the key is the type of the value")
    }
}

impl std::fmt::Debug for Drawer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Drawer")
    }
}
