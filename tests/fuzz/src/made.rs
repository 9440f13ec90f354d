//! Texts that are made from words and values, in several styles of writing, so that it is known what they mean.

use procfile_exchange::import::Manager;

use super::process::Process;

/// The names that variables are given, in this order.
const NAMES: [&str; 5] = ["A", "PORT", "B1", "IFS", "command"];

/// A text, and what it means.
pub struct Made {
    /// The text.
    pub text: String,
    /// The one process in it.
    pub process: Process,
}

/// How words are written.
#[derive(Clone, Copy)]
struct Style(u8);

impl Style {
    /// Where the process starts, if that is said.
    fn directory(self) -> Option<&'static str> {
        self.has(6).then_some(["-x/./y", "it's ''/a b"][usize::from(self.has(0))])
    }

    /// Whether one of seven choices is made.
    fn has(self, choice: u8) -> bool {
        self.0 >> (choice + 1) & 1 == 1
    }
}

impl Made {
    /// From a byte of choices, a byte of the number of words, and parts that end in a NUL: words, then values.
    pub fn of(manager: Manager, choices: u8, data: &[u8]) -> Self {
        let style = Style(choices);
        let (number, rest) = data.split_first().map_or((0, data), |(first, rest)| (*first, rest));
        let legal = |c: char| match c {
            '\t' => '\t',
            c if c.is_control()
                || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}') =>
            {
                '_'
            }
            c if manager == Manager::Supervisord && c.is_whitespace() => ' ',
            c => c,
        };
        let mut parts = rest
            .split(|byte| *byte == 0)
            .map(|part| String::from_utf8_lossy(part).chars().map(legal).collect());
        let mut argv: Vec<String> = parts.by_ref().take(usize::from(number & 7) + 1).collect();
        argv.retain(|word: &String| manager != Manager::Systemd || word != ";");
        if argv.first().is_none_or(|word| {
            word.is_empty() || manager == Manager::Pm2 && word.contains(char::is_whitespace)
        }) {
            argv.insert(0, "bin/x".to_owned());
        }
        let values: Vec<String> = parts.take(NAMES.len()).collect();
        let values = values.into_iter().map(|value| for_environment(manager, value));
        let environment: Vec<(String, String)> =
            NAMES.iter().map(|name| (*name).to_owned()).zip(values).collect();
        let count = u64::from(number >> 3) + 1;
        let text = match manager {
            Manager::Compose => compose(style, &argv, &environment, count),
            Manager::Pm2 => pm2(style, &argv, &environment, count),
            Manager::ProcessCompose => process_compose(style, &argv, &environment, count),
            Manager::Supervisord => supervisord(style, &argv, &environment, count),
            Manager::Systemd => systemd(style, &argv, &environment),
        };
        let count = if manager == Manager::Systemd { 1 } else { count };
        let environment = environment.into_iter().map(|(name, value)| (name, Some(value))).collect();
        let process = Process {
            name: "web".to_owned(),
            argv: Some(argv),
            script: None,
            environment: Some(environment),
            count: Some(count),
        };
        Self { text, process }
    }
}

/// supervisord's values know no escapes.
fn for_environment(manager: Manager, value: String) -> String {
    if manager == Manager::Supervisord { value.replace(['"', '\'', ';', '#'], "_") } else { value }
}

/// A word of a shell, in single or double quotes.
fn shell(style: Style, word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:=-".contains(&byte);
    if style.has(0) && !word.is_empty() && word.bytes().all(plain) {
        word.to_owned()
    } else if style.has(1) {
        format!("\"{}\"", word.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        format!("'{}'", word.replace('\'', "'\"'\"'"))
    }
}

/// A scalar of YAML in a style of its own; in double quotes it is one of JSON as well.
fn scalar(style: Style, text: &str) -> String {
    let plain = |word: &str| word.len() > 5 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
    if style.has(4) && plain(text) {
        text.to_owned()
    } else if style.has(5) && !text.contains('\t') {
        format!("'{}'", text.replace('\'', "''"))
    } else {
        json(text)
    }
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// All of it as JSON, with the variables as a map or as a list.
fn process_compose(style: Style, argv: &[String], environment: &[(String, String)], count: u64) -> String {
    let doubled = |text: &str| text.replace('$', "$$");
    let words: Vec<String> = argv.iter().map(|word| doubled(word)).collect();
    let variables = if style.has(0) {
        let pairs: serde_json::Map<_, _> =
            environment.iter().map(|(name, value)| (name.clone(), doubled(value).into())).collect();
        serde_json::Value::from(pairs)
    } else {
        environment.iter().map(|(name, value)| format!("{name}={}", doubled(value))).collect()
    };
    let directory = style.directory();
    let web = serde_json::json!({
        "entrypoint": words, "environment": variables, "replicas": count, "working_dir": directory,
    });
    serde_json::json!({ "processes": { "web": web } }).to_string()
}

fn compose(style: Style, argv: &[String], environment: &[(String, String)], count: u64) -> String {
    let doubled = |text: &str| text.replace('$', "$$");
    let scalars =
        |words: &[String]| words.iter().map(|word| scalar(style, &doubled(word))).collect::<Vec<_>>();
    let joined = || doubled(&argv.iter().map(|word| shell(style, word)).collect::<Vec<_>>().join(" "));
    if style.has(3) {
        // All of it as JSON.
        let pairs: serde_json::Map<_, _> =
            environment.iter().map(|(name, value)| (name.clone(), doubled(value).into())).collect();
        let words: Vec<String> = argv.iter().map(|word| doubled(word)).collect();
        let command = if style.has(2) { joined().into() } else { serde_json::json!(words) };
        let directory = style.directory();
        let web = serde_json::json!({"command": command, "environment": pairs, "scale": count, "working_dir": directory});
        return serde_json::json!({"services": {"web": web}}).to_string();
    }
    let command = if style.has(2) {
        format!("    command: {}\n", scalar(style, &joined()))
    } else {
        let (first, rest) = argv.split_at(1);
        let rest: Vec<String> = scalars(rest).iter().map(|word| format!("    - {word}\n")).collect();
        format!("    entrypoint: [{}]\n    command:\n{}", scalars(first).join(", "), rest.concat())
    };
    let variable = |(name, value): &(String, String)| {
        let value = doubled(value);
        if style.has(0) {
            format!("      {name}: {}\n", scalar(style, &value))
        } else {
            format!("      - {}\n", scalar(style, &format!("{name}={value}")))
        }
    };
    let variables = environment.iter().map(variable).collect::<Vec<_>>().concat();
    format!("services:\n  web:\n{command}    environment:\n{variables}    deploy:\n      replicas: {count}\n")
}

fn pm2(style: Style, argv: &[String], environment: &[(String, String)], count: u64) -> String {
    let (script, args) = argv.split_at(1);
    let args = if style.has(2) {
        let joined = args.iter().map(|word| shell(style, word)).collect::<Vec<_>>().join(" ");
        json(&format!(" {joined}"))
    } else {
        serde_json::json!(args).to_string()
    };
    let pairs: serde_json::Map<_, _> =
        environment.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
    let (script, env) = (json(&script[0]), serde_json::json!(pairs));
    let cwd = serde_json::json!(style.directory());
    if style.has(3) {
        return format!(
            "{{ // apps\n  apps: [{{\n    name: \"web\", /* one */\n    script: {script}, interpreter: 'none',\n    args: {args},\n    env: {env}, instances: {count}, cwd: {cwd},\n  }}],\n}}\n"
        );
    }
    format!(
        "{{\"apps\": [{{\"name\": \"web\", \"script\": {script}, \"interpreter\": \"none\", \"args\": {args}, \"env\": {env}, \"cwd\": {cwd}, \"instances\": {count}}}]}}"
    )
}

fn supervisord(style: Style, argv: &[String], environment: &[(String, String)], count: u64) -> String {
    let word = |word: &String| apart(&shell(style, word), if style.has(1) { "\"\"" } else { "''" });
    let between = if style.has(2) { "\n    " } else { " " };
    let command = argv.iter().map(word).collect::<Vec<_>>().join(between).replace('%', "%%");
    let quote = if style.has(3) { '"' } else { '\'' };
    let pairs =
        environment.iter().map(|(name, value)| format!("{name}={quote}{}{quote}", value.replace('%', "%%")));
    let environment = pairs.collect::<Vec<_>>().join(",");
    let directory = style.directory().map_or_else(String::new, |path| format!("directory={path}\n"));
    let (indent, comment) = (if style.has(4) { "  " } else { "" }, if style.has(5) { " ; c" } else { "" });
    format!(
        "[program:web]{comment}\n{indent}command={command}{comment}\n{indent}environment={environment}\n\n# c\n{indent}NUMPROCS : {count}{comment}\n{directory}"
    )
}

/// A word whose quotes are closed and opened between a blank and what would begin a comment.
fn apart(word: &str, quotes: &str) -> String {
    let mut result = String::new();
    for c in word.chars() {
        if matches!(c, ';' | '#') && result.ends_with([' ', '\t']) {
            result.push_str(quotes);
        }
        result.push(c);
    }
    result
}

fn systemd(style: Style, argv: &[String], environment: &[(String, String)]) -> String {
    let word = |word: &String| unit(style, word).replace('$', "$$");
    let between = if style.has(2) { " \\\n  " } else { " " };
    let command = argv.iter().map(word).collect::<Vec<_>>().join(between);
    let pairs = environment.iter().map(|(name, value)| unit(style, &format!("{name}={value}")));
    let pairs: Vec<String> = pairs.collect();
    let environment = if style.has(3) {
        format!("Environment={}\n", pairs.join(" "))
    } else {
        pairs.iter().map(|pair| format!("Environment={pair}\n")).collect::<Vec<_>>().concat()
    };
    let indent = if style.has(4) { "  " } else { "" };
    let directory = style.directory().map_or_else(String::new, |path| format!("WorkingDirectory={path}\n"));
    let mark = if style.has(5) { "-" } else { "" };
    format!(
        "[Unit]\nDescription=x\n[Service]\n{indent}ExecStart={mark}{command}\n; c\n{directory}{environment}"
    )
}

/// A word of a unit, in quotes or with each odd character escaped.
fn unit(style: Style, word: &str) -> String {
    let word = word.replace('%', "%%");
    if style.has(0) {
        let quote = if style.has(1) { '"' } else { '\'' };
        return format!("{quote}{}{quote}", word.replace('\\', "\\\\").replace(quote, &format!("\\{quote}")));
    }
    let escaped = |c: char| match c {
        ' ' => "\\s".to_owned(),
        c if c.is_ascii_alphanumeric() || b"_./:=%$,+-".contains(&u8::try_from(c).unwrap_or(0)) => {
            c.to_string()
        }
        c if c.is_ascii() => format!("\\x{:02x}", u32::from(c)),
        c => format!("\\U{:08x}", u32::from(c)),
    };
    let text: String = word.chars().map(escaped).collect();
    // What begins with a mark, and what is empty, needs quotes.
    if text.is_empty() || text.starts_with(['-', ':', '+', '=']) { format!("\"{text}\"") } else { text }
}
