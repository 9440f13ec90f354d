//! Why a text is not a valid schedule.

/// What is wrong with a schedule, as a fragment that names the field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSchedule {
    /// Other than five fields.
    #[error(
        "five fields are wanted (minute, hour, day of the month, month, day of the week), or a word such as @daily, not {}",
        if *found == 6 { "six: there are no seconds".to_owned() } else { found.to_string() }
    )]
    Fields {
        /// How many there are.
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
    /// One field makes no sense.
    #[error("{field} {text:?}: {what}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// What stands there, shortened.
        text: String,
        /// What is wrong with it.
        what: String,
    },
    /// Every field makes sense, and no day of any year has all of them.
    #[error("it never comes: no month that is named has such a day")]
    Never,
}
