//! Finds the known word that was probably meant by an unknown one.

/// The nearest of these words; `None` if none is near.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A long name has no slip of this size, and comparing it would take long.
    let word: String = word.chars().take(40).collect();
    let alike = known.map(|name| (strsim::jaro(name, &word), name));
    let nearest = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    nearest.filter(|(alike, _)| *alike > 0.8).map(|(_, name)| name)
}
