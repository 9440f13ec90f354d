//! A supervisord configuration: one program per instance, all in one group. supervisord reads a blank that is followed by `;` or
//! `#` as the beginning of a comment, even within quotes. So such a pair is written in two quoted parts: `'a #b'` becomes
//! `'a ''#b'`. A value that supervisord's file format cannot hold in any way is refused.

use crate::export::draft::Draft;
use crate::export::error::ExportError;
use crate::export::job::{Instance, Job, plain};
use crate::export::output::Output;
use crate::export::text::Text;

/// Renders the configuration, one file.
pub(crate) fn render(job: &Job) -> Result<Vec<Output>, ExportError> {
    let app = &job.settings.app;
    let mut file = Draft::default();
    for instance in &job.instances {
        program(&mut file, job, instance)?;
    }
    let names: Vec<String> = job.instances.iter().map(|instance| job.dashed(instance)).collect();
    file.put(format_args!("[group:{app}]\nprograms={}\n", names.join(",")));
    let path = format!("etc/supervisor/conf.d/{app}.conf");
    Ok(vec![Output::file(path, 0o600, file.finish())])
}

fn program(file: &mut Draft, job: &Job, instance: &Instance) -> Result<(), ExportError> {
    let settings = &job.settings;
    let what = format!("the command of {}", instance.process_type);
    let script = match &settings.prestart {
        Some(prestart) => {
            plain(&format!("/bin/sh -c {} || exit 1; {}", prestart.shell_word(), instance.script()))
        }
        None => instance.script(),
    };
    file.put(format_args!("[program:{}]\n", job.dashed(instance)));
    file.put(format_args!("command=/bin/sh -c {}\n", word(&what, &script)?));
    file.put(format_args!(
        "directory={}\n",
        path("the working directory", settings.working_directory.text())?
    ));
    file.put(format_args!("user={}\nautostart=true\nautorestart=true\n", settings.user));
    file.put(format_args!("stopasgroup={0}\nkillasgroup=true\n", !instance.is_simple()));
    file.put(format_args!("stopwaitsecs={}\n", settings.timeout));
    for stream in ["stdout", "stderr"] {
        file.put(format_args!("{stream}_logfile={}\n", path("the log path", &job.log(instance, stream))?));
    }
    let variables = Job::environment(instance, &job.dotted(instance));
    let variables = variables.iter().map(|(name, value)| variable(name, value));
    let variables = variables.collect::<Result<Vec<_>, _>>()?;
    file.put(format_args!("environment={}\n\n", variables.join(",")));
    Ok(())
}

/// Quotes a word of a command. supervisord splits commands with Python's shlex, after Python's configparser has read the value.
fn word(what: &str, text: &Text) -> Result<String, ExportError> {
    let word = single(what, text)?.shell_word().replace('%', "%%");
    Ok(apart(&word))
}

/// Quotes a value of `environment=`. supervisord knows no escapes there, so a value with both kinds of quotes is refused.
fn variable(name: &str, value: &Text) -> Result<String, ExportError> {
    let what = format!("variable {name}");
    let text = single(&what, value)?.as_str();
    let refused = |why: &str| ExportError::Value { what: what.clone(), why: why.to_owned() };
    if text.starts_with(['"', '\'']) || text.ends_with(['"', '\'']) {
        return Err(refused("begins or ends in a quote, which supervisord would cut"));
    }
    if has_comment(text) {
        return Err(refused("holds a blank before ; or #, which supervisord takes for a comment"));
    }
    let quote = match (text.contains('"'), text.contains('\'')) {
        (true, true) => return Err(refused("holds both kinds of quotes, which supervisord cannot")),
        (true, false) => '\'',
        (false, _) => '"',
    };
    Ok(format!("{name}={quote}{}{quote}", text.replace('%', "%%")))
}

/// A value that is the rest of a line. supervisord trims it, so blanks at its ends are refused.
fn path(what: &str, path: &Text) -> Result<String, ExportError> {
    let text = path.as_str();
    if has_comment(text) || text.ends_with(char::is_whitespace) {
        let why = "holds a blank before ; or # or at its end, which supervisord would cut".to_owned();
        return Err(ExportError::Value { what: what.to_owned(), why });
    }
    Ok(text.replace('%', "%%"))
}

/// Whether supervisord would read a part of the text as a comment: `;` or `#` behind any white space of Unicode.
fn has_comment(text: &str) -> bool {
    let mark_behind = |(at, _)| text[at..].trim_start().starts_with([';', '#']);
    text.match_indices(char::is_whitespace).any(mark_behind)
}

/// Closes the quotes between a blank and the `;` or `#` that would begin a comment, and opens them again.
fn apart(word: &str) -> String {
    let mut result = String::with_capacity(word.len());
    let mut blank = false;
    for c in word.chars() {
        if blank && matches!(c, ';' | '#') {
            result.push_str("''");
        }
        result.push(c);
        blank = c.is_whitespace();
    }
    result
}

fn single<'a>(what: &str, text: &'a Text) -> Result<&'a Text, ExportError> {
    if text.as_str().contains(['\n', '\r']) {
        let why = "holds a line end, which supervisord cannot".to_owned();
        return Err(ExportError::Value { what: what.to_owned(), why });
    }
    Ok(text)
}
