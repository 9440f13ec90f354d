//! The last sections of a manual page. clap knows one text that stands behind the options of a command, which `clap_mangen` calls EXTRA and
//! fills like prose. Readers of manual pages look for EXIT STATUS, ENVIRONMENT and EXAMPLES (man-pages(7)), and a command line must not be
//! broken or filled.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

const EXTRA: &str = "EXTRA";
/// The place of NOTES among these sections.
const NOTES: usize = 2;
/// The sections that are made of EXTRA, in the order of man-pages(7), each with the words with which its paragraph begins. What begins with
/// other words goes into NOTES.
const SECTIONS: [(&str, &str); 4] = [
    ("EXIT STATUS", "Exit status: "),
    ("ENVIRONMENT", "Environment:"),
    ("NOTES", ""),
    ("EXAMPLES", "Examples:"),
];

/// Arranges all pages of a directory.
///
/// # Errors
/// A page cannot be read or written.
pub(crate) fn arrange_all(directory: &Path) -> Result<()> {
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        let page = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        fs::write(&path, arranged(&page)).with_context(|| path.display().to_string())?;
    }
    Ok(())
}

/// The page with its section EXTRA divided. Examples that stand in the description go to the others.
fn arranged(page: &str) -> String {
    let mut pieces = page.split("\n.SH ");
    let mut all = pieces.next().unwrap_or_default().to_owned();
    let (mut before, mut after) = (Vec::new(), Vec::new());
    let mut divided = SECTIONS.map(|(title, _)| (title, Vec::new()));
    for piece in pieces {
        match piece.split_once('\n') {
            Some((EXTRA, text)) => text.split("\n\n").for_each(|paragraph| sort_in(paragraph, &mut divided)),
            Some((title @ "DESCRIPTION", text)) => {
                let is_example = |paragraph: &&str| paragraph.starts_with("Examples:");
                let (examples, others): (Vec<_>, Vec<_>) = text.split("\n.PP\n").partition(is_example);
                for paragraph in examples {
                    sort_in(paragraph, &mut divided);
                }
                before.push(format!("{title}\n{}", others.join("\n.PP\n").trim_end()));
            }
            _ if piece.starts_with("VERSION") => after.push(piece.to_owned()),
            _ => before.push(piece.to_owned()),
        }
    }
    let made =
        divided.into_iter().filter(|(_, paragraphs)| !paragraphs.is_empty()).map(|(title, paragraphs)| {
            let title = if title.contains(' ') { format!("\"{title}\"") } else { title.to_owned() };
            format!("{title}\n{}", paragraphs.join("\n.PP\n"))
        });
    for section in before.iter().cloned().chain(made).chain(after) {
        all.push_str("\n.SH ");
        all.push_str(section.trim_end_matches('\n'));
    }
    all.push('\n');
    all
}

/// Puts a paragraph into its section, without the words that the title says.
fn sort_in(paragraph: &str, sections: &mut [(&str, Vec<String>); 4]) {
    let paragraph = paragraph.trim_matches('\n');
    let fits = |(_, begin): &(&str, &str)| !begin.is_empty() && paragraph.starts_with(begin);
    let at = SECTIONS.iter().position(fits).unwrap_or(NOTES);
    let text = paragraph.strip_prefix(SECTIONS[at].1).unwrap_or(paragraph);
    sections[at].1.push(laid_out(text.trim_start_matches('\n')));
}

/// Lines that are indented stay as they are; all others are prose.
fn laid_out(text: &str) -> String {
    let (mut all, mut is_kept) = (String::new(), false);
    for line in text.lines() {
        if line.starts_with("  ") != is_kept {
            is_kept = !is_kept;
            all.push_str(if is_kept { ".nf\n" } else { ".fi\n" });
        }
        all.push_str(line);
        all.push('\n');
    }
    if is_kept {
        all.push_str(".fi\n");
    }
    all.truncate(all.trim_end().len());
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_text_of_a_page_becomes_the_sections_that_readers_look_for() {
        let page = ".TH ps 1\n.SH DESCRIPTION\nDoes it.\n.PP\nExamples:\n  ps z\n.PP\nMore.\n.SH OPTIONS\n\\-\\-all\n.SH EXTRA\nExamples:\n  \
                    ps a   all\n  ps b\n\nKeys: many,\nof all kinds.\n\nExit status: 0 done; 1 refused.\n.SH VERSION\nv1\n";
        let wanted = ".TH ps 1\n.SH DESCRIPTION\nDoes it.\n.PP\nMore.\n.SH OPTIONS\n\\-\\-all\n.SH \"EXIT STATUS\"\n0 done; 1 refused.\n\
                      .SH NOTES\nKeys: many,\nof all kinds.\n.SH EXAMPLES\n.nf\n  ps z\n.fi\n.PP\n.nf\n  ps a   all\n  ps b\n.fi\n\
                      .SH VERSION\nv1\n";
        assert_eq!(arranged(page), wanted);
        assert_eq!(arranged(".TH ps 1\n.SH NAME\nx\n"), ".TH ps 1\n.SH NAME\nx\n");
    }

    #[test]
    fn a_page_that_ends_with_it_and_lines_between_prose_are_kept_whole() {
        let page = ".TH ps 1\n.SH EXTRA\nPaths:\n  a  b\nand others.\n";
        assert_eq!(arranged(page), ".TH ps 1\n.SH NOTES\nPaths:\n.nf\n  a  b\n.fi\nand others.\n");
    }
}
