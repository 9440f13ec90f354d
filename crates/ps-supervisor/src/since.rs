//! Decides which instances need not be replaced because they would be the same if they were started now. A revision may
//! differ from the one before only in some types ([`crate::ProcessSpec::since`]). For example, if revision 8 differs
//! from 7 only in `worker`, instances of `web` that revision 7 has started are not replaced.

use formation::ProcessType;

use crate::Spec;

impl Spec {
    /// Whether an instance of a type that was started by this revision is as one that is started now.
    pub(crate) fn is_of_now(&self, process_type: &ProcessType, revision: u64) -> bool {
        let since = self.process(process_type).and_then(|process| process.since);
        (since.unwrap_or(self.revision)..=self.revision).contains(&revision)
    }
}
