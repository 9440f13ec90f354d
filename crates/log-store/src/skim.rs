//! Skips lines many at a time. A pattern is searched for in a whole block of lines, as fast as memory can be read; only lines
//! that may have it are taken apart.

use std::fmt;
use std::sync::Arc;

/// Finds lines that may be wanted in a block of whole lines, so that those between them need not be looked at one by one.
#[derive(Clone)]
pub struct Skim(Arc<Find>);

/// Where in whole lines the first one is that may be wanted: any offset in that line. `None`: none of them is wanted.
type Find = dyn Fn(&[u8]) -> Option<usize> + Send + Sync;

impl Skim {
    /// A filter whose function `find` returns the position of the first line in a block of complete lines that may be
    /// selected.
    pub fn new(find: impl Fn(&[u8]) -> Option<usize> + Send + Sync + 'static) -> Self {
        Self(Arc::new(find))
    }

    /// Any offset in the first line that may be wanted.
    pub(crate) fn find(&self, lines: &[u8]) -> Option<usize> {
        (self.0)(lines)
    }
}

impl fmt::Debug for Skim {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Skim")
    }
}
