//! What an app is configured by: variables, secrets, files of settings.

use crate::code::{JAVA, NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::stage::{QUIET, as_text};

const MISSING: &[&str] = &["variable", "environment", "not set", "setting", "secret"];
const BAD_FILE: &[&str] = &["config", "json", "toml", "syntax", "parse", "settings"];
const NO_FILE: &[&str] = &["no such file", "missing", "not there", "does not exist", "not found"];
const BAD_VALUE: &[&str] = &["value", "invalid", "number", "valueerror", "config"];

pub(crate) fn faults() -> Vec<Fault> {
    let mut all = secrets();
    all.extend(files());
    all.extend(environments());
    all
}

fn secrets() -> Vec<Fault> {
    let kind = "a variable is not set";
    vec![
        crash(
            kind,
            "python KeyError",
            MISSING,
            "/usr/bin/python3 app.py",
            &[("app.py", "import os\nurl = os.environ['SHOP_DATABASE_URL']\n")],
        )
        .needing(PYTHON),
        crash(
            kind,
            "node that says so",
            MISSING,
            "node app.js",
            &[("app.js", "if (!process.env.SHOP_TOKEN) throw new Error('SHOP_TOKEN is not set');\n")],
        )
        .needing(NODE),
        crash(kind, "a shell's ${…:?}", MISSING, "sh run.sh", &[("run.sh", ": \"${SHOP_SECRET:?}\"\nexec sleep 3600\n")]),
        crash(kind, "a shell's set -u", MISSING, "sh run.sh", &[("run.sh", "set -u\necho \"$SHOP_BUCKET\"\nexec sleep 3600\n")]),
        crash(
            kind,
            "java that says so",
            MISSING,
            "java Main.java",
            &[("Main.java", "class Main { public static void main(String[] a) { if (System.getenv(\"SHOP_KEY\") == null) throw new IllegalStateException(\"environment variable SHOP_KEY is required\"); } }\n")],
        )
        .needing(JAVA),
        crash(
            "a variable has a bad value",
            "python int()",
            BAD_VALUE,
            "WORKERS=many /usr/bin/python3 app.py",
            &[("app.py", "import os\nworkers = int(os.environ['WORKERS'])\n")],
        )
        .needing(PYTHON),
        crash(
            "a variable has a bad value",
            "node URL",
            &["url", "value", "invalid"],
            "API=shop.example node app.js",
            &[("app.js", "const api = new URL(process.env.API);\n")],
        )
        .needing(NODE),
    ]
}

fn files() -> Vec<Fault> {
    let kind = "a file of settings has a syntax error";
    let gone = "a file of settings is missing";
    vec![
        crash(
            kind,
            "json, python",
            BAD_FILE,
            "/usr/bin/python3 app.py",
            &[
                ("app.py", "import json\njson.load(open('config.json'))\n"),
                ("config.json", "{\"port\": 80,}\n"),
            ],
        )
        .needing(PYTHON),
        crash(
            kind,
            "json, node",
            BAD_FILE,
            "node app.js",
            &[
                ("app.js", "JSON.parse(require('fs').readFileSync('config.json'));\n"),
                ("config.json", "{port: 80}\n"),
            ],
        )
        .needing(NODE),
        crash(
            kind,
            "toml, python",
            BAD_FILE,
            "/usr/bin/python3 app.py",
            &[
                ("app.py", "import tomllib\ntomllib.load(open('app.toml', 'rb'))\n"),
                ("app.toml", "port = = 80\n"),
            ],
        )
        .needing(PYTHON),
        crash(
            kind,
            "ini, python",
            BAD_FILE,
            "/usr/bin/python3 app.py",
            &[
                ("app.py", "import configparser\nconfigparser.ConfigParser().read('app.ini')\n"),
                ("app.ini", "port = 80\n"),
            ],
        )
        .needing(PYTHON),
        crash(
            gone,
            "python",
            NO_FILE,
            "/usr/bin/python3 app.py",
            &[("app.py", "open('config/production.yml')\n")],
        )
        .needing(PYTHON),
        crash(
            gone,
            "node",
            NO_FILE,
            "node app.js",
            &[("app.js", "require('fs').readFileSync('config/production.json');\n")],
        )
        .needing(NODE),
    ]
}

fn environments() -> Vec<Fault> {
    let kind = "a bad file of variables";
    let names: &[&str] = &["env", "variable"];
    vec![
        fault(kind, "at a deploy", names, |stage| {
            let file = stage.home.write("bad.env", "PORT_OF_THE SHOP=1\n=nothing\n'unclosed=\n");
            stage.fails_when_deployed(QUIET, &["--env-file", &as_text(&file)]);
        }),
        fault(kind, "it is not there", names, |stage| {
            stage.fails_when_deployed(QUIET, &["--env-file", "/nonexistent/shop.env"]);
        }),
        fault("app.json is no JSON", "at a deploy", &["app.json"], |stage| {
            stage.file("app.json", "{\"formation\": {\"web\": }\n");
            stage.fails_when_deployed(QUIET, &[]);
        }),
        fault(
            "app.json is no JSON",
            "it was changed since",
            &["well", "running", "app.json", "healthy"],
            |stage| {
                stage.procfile(&format!("web: {QUIET}\n"));
                stage.deploys(&[]);
                stage.file("app.json", "{\"formation\": {\"web\": }\n");
                stage.fails_to_deploy(&[]);
            },
        ),
    ]
}
