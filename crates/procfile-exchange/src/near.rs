//! Finds the known word that was probably meant by an unknown one.

/// The text for an error about an unknown word: all known words, and the nearest one, such as `web, worker: did you mean web?`
pub fn instead_of(word: &str, known: &[&str]) -> String {
    let meant = nearest(word, known.iter().copied());
    let meant = meant.map_or_else(String::new, |meant| format!(": did you mean {meant}?"));
    format!("{}{meant}", known.join(", "))
}

/// The nearest of these words; `None` if none is near. In a short word one typing error changes half of the letters; `wbe` still counts as near to `web`.
pub(crate) fn nearest<'a>(word: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // A long name has no slip of this size, and comparing it would take long.
    let word: String = word.chars().take(40).collect();
    let known: Vec<&str> = known.collect();
    let alike = known.iter().map(|name| (strsim::jaro(name, &word), *name));
    let nearest = alike.max_by(|(one, _), (other, _)| one.total_cmp(other));
    let is_a_slip_away = |name: &&&str| word.len() > 2 && strsim::osa_distance(name, &word) == 1;
    let nearest = nearest.filter(|(alike, _)| *alike > 0.8).map(|(_, name)| name);
    nearest.or_else(|| known.iter().find(is_a_slip_away).copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_found_in_long_words_and_in_short_ones() {
        let known = || ["web", "worker", "max_memory_restart"].into_iter();
        for (word, meant) in [
            ("wbe", Some("web")),
            ("wrker", Some("worker")),
            ("max_memory_restrat", Some("max_memory_restart")),
            ("wx", None),
            ("other", None),
        ] {
            assert_eq!(nearest(word, known()), meant, "{word}");
        }
        assert_eq!(instead_of("wbe", &["web", "worker"]), "web, worker: did you mean web?");
        assert_eq!(instead_of("other", &["web"]), "web");
    }
}
