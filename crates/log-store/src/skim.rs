//! Skips lines many at a time. A pattern is searched for in a whole block of lines, as fast as memory can be read; only lines
//! that may contain it are examined one by one.

use std::fmt;
use std::sync::Arc;

/// A filter that finds lines that may be selected in a block of whole lines, so that the lines between them need not be
/// examined one by one.
#[derive(Clone)]
pub struct Skim(Arc<Find>);

/// Returns any offset in the first line that may be selected; `None` if none may be.
type Find = dyn Fn(&[u8]) -> Option<usize> + Send + Sync;

impl Skim {
    /// A filter whose function `find` gets a block of complete lines and returns any offset in the first line that may be
    /// selected.
    pub fn new(find: impl Fn(&[u8]) -> Option<usize> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// Any offset in the first line that may be selected.
    pub(crate) fn find(&self, lines: &[u8]) -> Option<usize> {
        (self.0)(lines)
    }
}

impl fmt::Debug for Skim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Skim")
    }
}
