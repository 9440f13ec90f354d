//! Why a text is not a valid schedule.

/// The problem of a schedule, as a fragment that names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// A number of fields other than five.
    #[error(
        "five fields are wanted (minute, hour, day of the month, month, day of the week), or a word such as @daily, not {}",
        if *found == 6 { "six: there are no seconds".to_owned() } else { found.to_string() }
    )]
    Fields {
        /// The number of fields.
        found: usize,
    },
    /// An unknown word.
    #[error("{word:?} is not known: {advice}")]
    Word {
        /// The word, shortened.
        word: String,
        /// What to write.
        advice: &'static str,
    },
    /// An invalid field.
    #[error("{field} {text:?}: {what}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The text of the field, shortened.
        text: String,
        /// What is wrong with it.
        what: String,
    },
    /// Every field is valid, but no day of any year matches all of them.
    #[error("it never comes: no month that is named has such a day")]
    Never,
}
