//! A page of Markdown as HTML: its links led to where the pages are in the site, its headings made to be led to.

use std::collections::HashMap;

use anyhow::Result;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// A page as HTML, and what can be led to in it.
pub(crate) struct Rendered {
    pub(crate) title: String,
    pub(crate) body: String,
    /// The anchors of its headings, as GitHub makes them.
    pub(crate) anchors: Vec<String>,
}

/// Renders a page. `lead` is given each link as it stands there, and returns it as it is to be.
///
/// # Errors
/// Those of `lead`.
pub(crate) fn render(text: &str, mut lead: impl FnMut(&str) -> Result<String>) -> Result<Rendered> {
    let mut events: Vec<Event<'_>> = Parser::new_ext(text, Options::ENABLE_TABLES).collect();
    let (mut title, mut anchors) = (String::new(), Vec::new());
    let mut seen: HashMap<String, usize> = HashMap::new();
    for at in 0..events.len() {
        if let Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) = &mut events[at] {
            *dest_url = CowStr::from(lead(dest_url)?);
        }
        let Event::Start(Tag::Heading { level, .. }) = events[at] else { continue };
        let heading = heading(&events[at + 1..]);
        if level == HeadingLevel::H1 && title.is_empty() {
            title.clone_from(&heading);
        }
        let anchor = anchor(&heading);
        let count = seen.entry(anchor.clone()).and_modify(|count| *count += 1).or_default();
        let anchor = if *count == 0 { anchor } else { format!("{anchor}-{count}") };
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(CowStr::from(anchor.clone()));
        }
        anchors.push(anchor);
    }
    let mut body = String::new();
    html::push_html(&mut body, events.into_iter());
    Ok(Rendered { title, body, anchors })
}

/// The text of a heading that has just begun.
fn heading(events: &[Event<'_>]) -> String {
    let inside = events.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let words = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(&**text),
        _ => None,
    });
    words.collect()
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|it| it.is_ascii_alphanumeric() || matches!(it, ' ' | '_' | '-'));
    kept.map(|it| if it == ' ' { '-' } else { it.to_ascii_lowercase() }).collect()
}
