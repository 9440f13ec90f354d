//! Finds the known word that was probably meant by an unknown one.

/// The nearest of the words that are at most two typing errors away. A typing error is a letter too many, a missing
/// or wrong letter, or two letters in the wrong order.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let most = (word.chars().count() / 2).min(2);
    let near = candidates.map(|candidate| (strsim::osa_distance(word, candidate), candidate));
    near.filter(|(slips, _)| *slips <= most).min_by_key(|(slips, _)| *slips).map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_leads_to_the_word_that_was_meant() {
        let words = ["web", "worker", "release", "check"];
        let meant = |word: &str| nearest(word, words.into_iter());
        assert_eq!(meant("wbe"), Some("web"));
        assert_eq!(meant("chekc"), Some("check"));
        assert_eq!(meant("wrkr"), Some("worker"));
        assert_eq!((meant("x"), meant("alarm"), meant("")), (None, None, None));
    }
}
