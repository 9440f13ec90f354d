//! A section of the configuration.

/// `[program:web]` and its settings, in their order.
pub(super) struct Section<'a> {
    pub(super) kind: &'a str,
    pub(super) name: &'a str,
    pub(super) settings: Vec<(String, String)>,
}

impl Section<'_> {
    /// The last value of a key.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        self.settings.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.as_str())
    }
}
