//! Settings that mean the same in a process file of pm2 and in what pm2 saved of a process.

use crate::import::command::Word;
use crate::import::gather::Gathering;
use crate::import::node::Node;
use crate::import::words;

/// The name that pm2 gives an app that has none: the name of its script without directory and extension.
pub(crate) fn stem(script: &str) -> &str {
    let file = script.split_whitespace().next().unwrap_or(script).rsplit('/').next().unwrap_or(script);
    file.rsplit_once('.').map_or(file, |(stem, _)| stem)
}

/// The words of `args`: a list, or a text that is split as a shell splits words. An old form is a list that is written in a text.
pub(crate) fn arguments(args: Option<&Node>) -> Result<Vec<Word>, &'static str> {
    let refused = "its arguments cannot be split into words";
    let Some(args) = args.filter(|args| !args.is_empty()) else { return Ok(Vec::new()) };
    let literal = |items: Vec<String>| items.iter().map(|item| words::whole(words::plain(item))).collect();
    if let Some(items) = args.scalars() {
        return Ok(literal(items));
    }
    let text = args.scalar().ok_or(refused)?;
    if text.trim().starts_with('[') {
        let options = jsonc_parser::ParseOptions::default();
        let list: Option<Node> = jsonc_parser::parse_to_serde_value(&text, &options).ok();
        if let Some(items) = list.and_then(|list| list.scalars()) {
            return Ok(literal(items));
        }
    }
    words::split(words::plain(&text)).ok_or(refused)
}

/// Notes for an app in cluster mode that its instances will not share a port any more.
pub(crate) fn note_cluster(gathering: &mut Gathering, name: &str, app: &Node) {
    if app.get("exec_mode").and_then(Node::scalar).is_some_and(|mode| mode.starts_with("cluster")) {
        gathering.note(
            name,
            "exec_mode cluster: instances do not share a port, each has its own PORT; ps-pm2 start, or ps-node before the command, has them share it",
        );
    }
}
