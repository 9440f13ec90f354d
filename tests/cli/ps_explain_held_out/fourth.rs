//! Faults that users of other process managers ask about, of kinds that no other set has. Where a program is not on this machine, a script
//! prints what that program is known to print.

use crate::code::{NODE, PYTHON, crash};
use crate::fault::{Fault, fault};
use crate::stage::Files;

const CC: &[&str] = &["/usr/bin/cc"];

pub(crate) fn faults() -> Vec<Fault> {
    [modules(), databases(), limits(), files(), configured(), told()].into_iter().flatten().collect()
}

fn node(kind: &'static str, name: &'static str, names: &'static [&'static str], files: Files) -> Fault {
    crash(kind, name, names, "node app.js", files).needing(NODE)
}

fn python(kind: &'static str, name: &'static str, names: &'static [&'static str], files: Files) -> Fault {
    crash(kind, name, names, "/usr/bin/python3 app.py", files).needing(PYTHON)
}

/// What a program prints that is not here, and its exit status.
fn printed(
    kind: &'static str,
    name: &'static str,
    names: &'static [&'static str],
    text: &'static str,
    status: u8,
) -> Fault {
    fault(kind, name, names, move |stage| {
        stage.file("text", text);
        stage.file("run.sh", &format!("cat text >&2\nexit {status}\n"));
        stage.crashes("sh run.sh", &[]);
    })
}

fn modules() -> Vec<Fault> {
    let kind = "fourth set: modules";
    let format: &[&str] = &["es module", "esm", "import statement", "module system", "kind of module"];
    let name: &[&str] = &["circular", "has no such name", "not in it", "another version", "exception"];
    vec![
        printed(
            kind,
            "an ES module is required, node 18",
            format,
            "/srv/shop/app.js:1\nconst fetch = require('node-fetch');\n              ^\n\nError [ERR_REQUIRE_ESM]: require() of ES Module /srv/shop/node_modules/node-fetch/src/index.js from /srv/shop/app.js not supported.\nInstead change the require of index.js in /srv/shop/app.js to a dynamic import() which is available in all CommonJS modules.\n    at Object.<anonymous> (/srv/shop/app.js:1:15) {\n  code: 'ERR_REQUIRE_ESM'\n}\n\nNode.js v18.19.0\n",
            1,
        ),
        node(
            kind,
            "an import in CommonJS",
            format,
            &[
                ("app.js", "import http from 'http';\nhttp.get();\n"),
                ("package.json", "{\"type\": \"commonjs\"}\n"),
            ],
        ),
        python(
            kind,
            "a circular import",
            name,
            &[
                ("app.py", "import a\n"),
                ("a.py", "from b import f\ndef g(): pass\n"),
                ("b.py", "from a import g\ndef f(): pass\n"),
            ],
        ),
        python(
            kind,
            "a name that this version of a module has not",
            name,
            &[("app.py", "from collections import Mapping\n")],
        ),
        python(
            kind,
            "a time zone of nowhere",
            &["time zone", "value", "exception"],
            &[("app.py", "import zoneinfo\nzoneinfo.ZoneInfo('Europe/Nowhere')\n")],
        ),
        printed(
            kind,
            "php, an extension",
            &["extension", "function", "exception"],
            "PHP Fatal error:  Uncaught Error: Call to undefined function mysqli_connect() in /srv/shop/index.php:3\nStack trace:\n#0 {main}\n  thrown in /srv/shop/index.php on line 3\n",
            255,
        ),
        printed(
            kind,
            "a framework of .NET",
            &["version", "framework", "runtime"],
            "You must install or update .NET to run this application.\n\nApp: /srv/shop/Shop.dll\nArchitecture: x64\nFramework: 'Microsoft.NETCore.App', version '8.0.0' (x64)\n.NET location: /usr/share/dotnet\n\nThe following frameworks were found:\n  6.0.36 at [/usr/share/dotnet/shared/Microsoft.NETCore.App]\n",
            150,
        ),
    ]
}

fn databases() -> Vec<Fault> {
    let kind = "fourth set: databases";
    vec![
        python(
            kind,
            "one that another process has locked",
            &["lock"],
            &[(
                "app.py",
                "import sqlite3\none = sqlite3.connect('shop.db')\none.execute('begin exclusive')\nsqlite3.connect('shop.db', timeout=0.1).execute('create table a (b)')\n",
            )],
        ),
        python(
            kind,
            "one without its tables",
            &["table", "migrat", "schema"],
            &[("app.py", "import sqlite3\nsqlite3.connect(':memory:').execute('select * from users')\n")],
        ),
        printed(
            kind,
            "one that is not there",
            &["database"],
            "psql: error: connection to server at \"localhost\" (127.0.0.1), port 5432 failed: FATAL:  database \"shop\" does not exist\n",
            2,
        ),
        printed(
            kind,
            "one that has too many clients",
            &["connections", "clients"],
            "psycopg2.OperationalError: connection to server at \"db\" (10.0.0.5), port 5432 failed: FATAL:  sorry, too many clients already\n",
            1,
        ),
        printed(
            kind,
            "one that is starting",
            &["starting", "does not answer", "not ready"],
            "org.postgresql.util.PSQLException: FATAL: the database system is starting up\n",
            1,
        ),
        printed(
            kind,
            "prisma, no server",
            &["does not answer", "unreachable"],
            "PrismaClientInitializationError: Can't reach database server at `db.shop.invalid:5432`\n\nPlease make sure your database server is running at `db.shop.invalid:5432`.\n    at t (/srv/shop/node_modules/@prisma/client/runtime/library.js:112:2488)\n",
            1,
        ),
    ]
}

fn limits() -> Vec<Fault> {
    let kind = "fourth set: limits";
    vec![
        printed(
            kind,
            "watches of inotify",
            &["no more files", "inotify:"],
            "node:internal/fs/watchers:247\n    const error = new UVException({\nError: ENOSPC: System limit for number of file watchers reached, watch '/srv/shop'\n    at FSWatcher.<computed> (node:internal/fs/watchers:247:19) {\n  errno: -28,\n  syscall: 'watch',\n  code: 'ENOSPC'\n}\n",
            1,
        ),
        crash(
            kind,
            "time of the CPU",
            &["cpu", "xcpu"],
            "ulimit -t 1; exec /usr/bin/python3 -c 'while True: pass'",
            &[],
        )
        .needing(PYTHON),
        crash(
            kind,
            "the size of a file",
            &["large", "size"],
            "ulimit -f 1; exec /usr/bin/python3 app.py",
            &[("app.py", "with open('big', 'wb') as out:\n    out.write(b'x' * 100000)\n")],
        )
        .needing(PYTHON),
        crash(
            kind,
            "the length of arguments",
            &["argument", "too long"],
            "sh run.sh",
            &[("run.sh", "/bin/echo $(head -c 3000000 /dev/zero | tr '\\0' 'x') >/dev/null || exit 1\n")],
        ),
        fault(kind, "an instruction that is none", &["illegal", "sigill", "instruction"], |stage| {
            stage.file("main.c", "int main(void) { __builtin_trap(); }\n");
            stage.runs("cc", &["-o", "server", "main.c"]);
            stage.crashes("./server", &[]);
        })
        .needing(CC),
    ]
}

fn files() -> Vec<Fault> {
    let kind = "fourth set: files";
    vec![
        python(kind, "a directory in the place of a file", &["directory", "exception"], &[("app.py", "open('.')\n")]),
        crash(
            kind,
            "a link that leads to itself",
            &["link", "exception"],
            "/usr/bin/python3 app.py",
            &[("app.py", "import os\nos.path.islink('conf') or os.symlink('conf', 'conf')\nopen('conf')\n")],
        )
        .needing(PYTHON),
        python(
            kind,
            "a certificate of its own that is not there",
            &["file", "certificate"],
            &[("app.py", "import ssl\nssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain('server.crt', 'server.key')\n")],
        ),
        fault(
            kind,
            "a key of another certificate",
            &["belongs to another", "exception"],
            |stage| {
                for name in ["one", "other"] {
                    let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
                    stage.runs("openssl", &["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=shop", "-keyout", &key, "-out", &crt]);
                }
                stage.file("app.py", "import ssl\nssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain('one.crt', 'other.key')\n");
                stage.crashes("/usr/bin/python3 app.py", &[]);
            },
        )
        .needing(&["/usr/bin/python3", "/usr/bin/openssl"]),
        printed(
            kind,
            "the file of a pid that was left",
            &["already running", "pid", "lock"],
            "=> Booting Puma\n=> Rails 7.1.3 application starting in production\nA server is already running (pid: 7, file: /srv/shop/tmp/pids/server.pid).\nExiting\n",
            1,
        ),
    ]
}

fn configured() -> Vec<Fault> {
    let kind = "fourth set: settings";
    vec![
        printed(
            kind,
            "nginx, a directive",
            &["settings", "config"],
            "nginx: [emerg] unknown directive \"prox_pass\" in /srv/shop/nginx.conf:7\n",
            1,
        ),
        python(
            kind,
            "a locale that is not here",
            &["locale", "exception"],
            &[("app.py", "import locale\nlocale.setlocale(locale.LC_ALL, 'xx_XX.UTF-8')\n")],
        ),
        printed(
            kind,
            "django, no secret",
            &["settings", "setting", "variable", "config"],
            "Traceback (most recent call last):\n  File \"/srv/shop/manage.py\", line 22, in <module>\n    main()\ndjango.core.exceptions.ImproperlyConfigured: The SECRET_KEY setting must not be empty.\n",
            1,
        ),
    ]
}

/// Errors of runtimes in their own words.
fn told() -> Vec<Fault> {
    let kind = "fourth set: runtimes";
    vec![
        printed(
            kind,
            "go, a nil map",
            &["exception", "does not handle"],
            "panic: assignment to entry in nil map\n\ngoroutine 1 [running]:\nmain.main()\n\t/srv/shop/main.go:5 +0x2f\nexit status 2\n",
            2,
        ),
        printed(
            kind,
            "deno, a module",
            &["module"],
            "error: Module not found \"file:///srv/shop/router.ts\".\n    at file:///srv/shop/main.ts:1:24\n",
            1,
        ),
        printed(
            kind,
            "yarn, a script",
            &["script", "command"],
            "yarn run v1.22.22\nerror Command \"serve\" not found.\ninfo Visit https://yarnpkg.com/en/docs/cli/run for documentation about this command.\n",
            1,
        ),
    ]
}
