//! What a page shows as output, compared with what came. A line `…` stands for any lines, also none; a `…` within a line for any
//! text. Blanks at the ends of lines, and how many stand together, do not count: columns are as wide as what is in them.

/// Whether the output is what the page shows.
pub(crate) fn agrees(shown: &str, output: &str) -> bool {
    lines_agree(&words(shown), &words(output))
}

fn words(text: &str) -> Vec<String> {
    text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

fn lines_agree(shown: &[String], output: &[String]) -> bool {
    match (shown.split_first(), output.split_first()) {
        (None, None) => true,
        (Some((any, rest)), _) if any == "…" => {
            (0..=output.len()).any(|passed| lines_agree(rest, &output[passed..]))
        }
        (Some((line, shown)), Some((came, output))) => line_agrees(line, came) && lines_agree(shown, output),
        (Some(_), None) | (None, Some(_)) => false,
    }
}

fn line_agrees(shown: &str, came: &str) -> bool {
    let Some((start, rest)) = shown.split_once('…') else { return shown == came };
    came.strip_prefix(start).is_some_and(|came| {
        came.char_indices().any(|(at, _)| line_agrees(rest, &came[at..])) || rest.is_empty()
    })
}

#[test]
fn a_page_that_shows_something_else_is_found_out() {
    let output = "APP   STATE\nshop  running  4711\nend\n";
    for shown in
        ["APP STATE\nshop running …\nend\n", "…\nshop  running …\n…\n", "…\nend\n", "…\n", "AP…\n…1\n…d\n"]
    {
        assert!(agrees(shown, output), "{shown}");
    }
    for shown in ["", "APP STATE\n", "…\nshop stopped …\n…\n", "…\nshop\n…\n", "…\nend\nmore\n"] {
        assert!(!agrees(shown, output), "{shown}");
    }
}
