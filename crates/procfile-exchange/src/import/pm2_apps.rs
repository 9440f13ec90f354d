//! The apps of a pm2 process file without interpretation: all keys of each app, for callers that run pm2 apps.

use crate::import::error::ImportError;
use crate::import::node::Node;
use crate::import::pm2;
use crate::import::pm2_values::declaration;
use crate::pm2::Declaration;

/// The apps of a process file in YAML, JSON, or JSON with comments and keys without quotes: those below `apps`, those of a list, or
/// the one that the file is.
///
/// # Errors
/// It is none of these, or JavaScript, which is a program.
pub fn pm2_apps(text: &str) -> Result<Vec<Declaration>, ImportError> {
    let document = pm2::document(text)?;
    let apps = document.get("apps").or_else(|| document.get("pm2")).unwrap_or(&document);
    let apps = match apps {
        Node::List(apps) => &apps[..],
        one => std::slice::from_ref(one),
    };
    let keys = |app: &Node| match app {
        Node::Map(entries) => Ok(declaration(entries)),
        _ => Err(ImportError::Syntax("process file of pm2", "an app is to be an object".to_owned())),
    };
    apps.iter().map(keys).collect()
}

/// The keys that a process file has beside `apps`; none if it is no object with such a list. Keys that begin with `x-` are for the
/// reader's own use, as anchors of YAML are.
pub fn pm2_beside_apps(text: &str) -> Vec<String> {
    let is_list = |key: &str| key == "apps" || key == "pm2";
    match pm2::document(text) {
        Ok(document) if document.entries().iter().any(|(key, _)| is_list(key)) => {
            let others = document.entries().iter().filter(|(key, _)| !is_list(key) && !key.starts_with("x-"));
            others.map(|(key, _)| key.clone()).collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn each_spelling_says_the_same() {
        let yaml =
            "apps:\n  - script: a.js\n    name: api\n    instances: 2\n    watch: false\n    args: [x, 1]\n";
        let json = "{apps: [{script: 'a.js', \"name\": \"api\", instances: 2, watch: false, args: ['x', 1], /* all */}]}";
        let apps = pm2_apps(yaml).expect("YAML");
        let keys: Vec<&str> = apps[0].0.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, ["script", "name", "instances", "watch", "args"]);
        assert_eq!(apps[0].0[2].1, Value::from(2));
        assert_eq!(pm2_apps(json).expect("JSON"), apps);
        assert_eq!(pm2_beside_apps("{apps: [], deploy: {}, 'x-a': 1}"), ["deploy"]);
        assert_eq!(pm2_beside_apps("{script: 'a.js', deploy: {}}"), [""; 0]);
        assert!(pm2_apps("module.exports = {}").is_err() && pm2_apps("[1]").is_err());
    }
}
