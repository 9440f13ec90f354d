//! What may stand at the cursor of a command line that is being typed: first a command, then the names and ids of apps. They are read from
//! the list of apps alone.

use ps_cli::completion::{Line, Name};

use crate::book::Book;
use crate::home::Home;

/// The commands, and what is said of each.
const COMMANDS: [(&str, &str); 36] = [
    ("start", "start a script, a program, or what a file declares"),
    ("stop", "end instances, which stay in the list"),
    ("restart", "end instances, and start them again"),
    ("reload", "replace instances one by one, without losing connections"),
    ("gracefulReload", "the same, with the message shutdown"),
    ("delete", "end instances, and remove them from the list"),
    ("list", "the apps and their state, as a table"),
    ("ls", "the same"),
    ("status", "the same"),
    ("jlist", "the list as JSON"),
    ("prettylist", "the list as Node prints it"),
    ("describe", "one instance"),
    ("id", "the ids of a name"),
    ("pid", "the pids"),
    ("env", "the variables of an instance"),
    ("scale", "change how many instances an app has"),
    ("reset", "count restarts from 0 again"),
    ("logs", "follow the logs"),
    ("flush", "empty the logs"),
    ("sendSignal", "send a signal"),
    ("dump", "record which apps there are"),
    ("save", "the same"),
    ("cleardump", "remove that record"),
    ("resurrect", "start the recorded apps"),
    ("import", "take over the apps of a running pm2"),
    ("update", "replace running supervisors by the installed program"),
    ("startup", "start the recorded apps when the machine boots"),
    ("unstartup", "undo that"),
    ("monit", "CPU and memory, live"),
    ("web", "the list by HTTP"),
    ("generate", "write a sample declaration"),
    ("ping", "print pong"),
    ("kill", "end all apps"),
    ("startOrRestart", "start what a file declares, and restart what runs of it"),
    ("startOrReload", "start what a file declares, and reload what runs of it"),
    ("startOrGracefulReload", "the same, with the message shutdown"),
];
const SIGNALS: [&str; 8] =
    ["SIGHUP", "SIGINT", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGTERM", "SIGCONT", "SIGKILL"];

/// For the words of the command line.
pub(crate) fn of_words(line: &Line) -> Vec<Name> {
    let words = line.given("words");
    let Some((verb, subjects)) = words.split_first() else {
        return COMMANDS.iter().map(|(command, help)| Name::with_help(*command, *help)).collect();
    };
    match (verb.as_str(), subjects.len()) {
        ("sendSignal", 0) => SIGNALS.iter().map(|signal| Name::new(*signal)).collect(),
        ("scale", 0) => names(),
        ("env", 0) => ids(),
        ("describe" | "show" | "info" | "desc" | "id" | "pid", 0) => [names(), ids()].concat(),
        (
            "stop" | "restart" | "delete" | "del" | "reload" | "gracefulReload" | "reset" | "logs" | "log"
            | "flush",
            _,
        )
        | ("sendSignal", 1..) => {
            let mut all = [names(), ids(), vec![Name::with_help("all", "all apps")]].concat();
            all.retain(|name| !subjects.iter().any(|given| given == name.word()));
            all
        }
        _ => Vec::new(),
    }
}

fn names() -> Vec<Name> {
    let shown =
        |count: usize| if count == 1 { "1 instance".to_owned() } else { format!("{count} instances") };
    book().apps.iter().map(|app| Name::with_help(&app.name, shown(app.instances.len()))).collect()
}

fn ids() -> Vec<Name> {
    let book = book();
    let of_app =
        book.apps.iter().flat_map(|app| app.instances.iter().map(|instance| (instance.id, &app.name)));
    of_app.map(|(id, name)| Name::with_help(id.to_string(), name)).collect()
}

fn book() -> Book {
    let home = ps_apps::pm2_home().map(|directory| Home::at(&directory));
    home.and_then(|home| Book::read(&home).ok()).unwrap_or_default()
}
