//! Which instances are as they would be if they were started now. A revision may differ from the one before in some types alone
//! ([`crate::ProcessSpec::since`]): for example, if revision 8 differs from 7 in `worker`, `web` is as it is since 7, and instances of
//! `web` that revision 7 has started are not replaced.

use formation::ProcessType;

use crate::Spec;

impl Spec {
    /// Whether an instance of a type that was started by this revision is as one that is started now.
    pub(crate) fn is_of_now(&self, process_type: &ProcessType, revision: u64) -> bool {
        let since = self.process(process_type).and_then(|process| process.since);
        (since.unwrap_or(self.revision)..=self.revision).contains(&revision)
    }
}
