//! Programs that take credentials on their command line, and how: with a flag before them, in the same word as the flag,
//! or as words of their own. One table, so that a reviewer can read it; a program that is not in it keeps its words
//! with `--show-commands`, unless the scan finds something in them.

/// One way to take credentials, shared by all programs that have it.
#[derive(Debug)]
pub(crate) struct Client {
    programs: &'static [&'static str],
    /// The word after one of these is a credential.
    pub(crate) flags: &'static [&'static str],
    /// If a word begins with one of these, the rest of the word is a credential.
    attached: &'static [&'static str],
    /// Whether every word that is no flag may be a credential.
    pub(crate) words: bool,
}

const fn client(
    programs: &'static [&'static str],
    flags: &'static [&'static str],
    attached: &'static [&'static str],
) -> Client {
    Client { programs, flags, attached, words: false }
}

const CLIENTS: &[Client] = &[
    client(
        &["mysql", "mysqladmin", "mysqldump", "mysqlimport", "mysqlcheck", "mysqlpump", "mariadb"],
        &["-p"],
        &["-p"],
    ),
    client(&["mariadb-admin", "mariadb-dump", "mariadb-check"], &["-p"], &["-p"]),
    client(
        &["mongo", "mongosh", "mongodump", "mongorestore", "mongoexport", "mongoimport"],
        &["-p"],
        &["-p"],
    ),
    client(
        &["psql", "pg_dump", "pg_restore", "pg_basebackup", "cqlsh", "clickhouse-client"],
        &["-p", "-w"],
        &[],
    ),
    client(&["redis-cli", "valkey-cli", "http"], &["-a"], &["-a"]),
    client(
        &["curl"],
        &[
            "-u",
            "-U",
            "-H",
            "-b",
            "-d",
            "-E",
            "-F",
            "--user",
            "--proxy-user",
            "--header",
            "--proxy-header",
            "--data",
            "--data-raw",
            "--data-binary",
            "--data-urlencode",
            "--form",
            "--json",
            "--oauth2-bearer",
            "--cert",
            "-D",
        ],
        &["-u", "-U", "-H", "-b", "-d", "-F", "--user=", "--proxy-user=", "--header=", "--data=", "--json="],
    ),
    client(&["wget"], &["--user", "--header", "--post-data"], &["--user=", "--header=", "--post-data="]),
    client(&["docker", "podman", "nerdctl", "az", "oc", "cf", "ansible-vault"], &["-p"], &[]),
    client(&["sshpass"], &["-p", "-P"], &["-p", "-P"]),
    client(&["ldapsearch", "ldapadd", "ldapmodify", "ldapwhoami", "ldappasswd"], &["-w", "-s"], &["-w"]),
    client(
        &["smbclient", "rpcclient", "net", "smbget", "lftp", "ncftpget"],
        &["-U", "-u", "-p"],
        &["-U", "-u", "-p"],
    ),
    client(&["7z", "7za", "7zr", "7zz", "rar", "unrar"], &["-p"], &["-p"]),
    client(&["zip", "unzip", "zipcloak", "isql", "bcp", "sqlcmd", "ipmitool"], &["-P"], &["-P"]),
    client(&["mosquitto_pub", "mosquitto_sub", "mosquitto_passwd"], &["-P", "-b"], &[]),
    client(&["snmpget", "snmpwalk", "snmpset", "snmpbulkwalk"], &["-c", "-A", "-X"], &["-c", "-A", "-X"]),
    client(&["openssl"], &["-k", "-K", "-iv", "-pass", "-passin", "-passout"], &["pass:"]),
    client(&["keytool", "jarsigner"], &["-storepass", "-keypass", "-new"], &[]),
    client(&["gpg", "gpg2"], &["--passphrase"], &[]),
    client(&["xfreerdp", "rdesktop"], &["-p"], &["/p:", "-p"]),
    client(&["erl", "iex", "elixir"], &["-setcookie", "--cookie"], &[]),
    client(&["swaks"], &["-ap"], &[]),
    Client {
        programs: &["htpasswd", "mkpasswd", "chpasswd", "wpa_passphrase", "rabbitmqctl", "sqlplus"],
        flags: &[],
        attached: &[],
        words: true,
    },
    Client { programs: &["mc", "gitlab-runner"], flags: &["-r", "-t"], attached: &[], words: true },
];

/// The row of the program that a word names, by path or by name.
pub(crate) fn named(word: &str) -> Option<&'static Client> {
    // `"mysql`, `$(mysql` and `/usr/bin/mysql` are all mysql.
    let beside = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.');
    let name = word.rsplit(beside).next().filter(|name| !name.is_empty())?;
    CLIENTS.iter().rev().find(|client| client.programs.contains(&name))
}

impl Client {
    /// The offset of the credential in a word that begins with its flag: 2 in `-px`.
    pub(crate) fn attached(&self, word: &str) -> Option<usize> {
        let flags = self.attached.iter().filter(|flag| word.len() > flag.len() && word.starts_with(**flag));
        flags.map(|flag| flag.len()).max()
    }
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_client_is_known_by_name_and_path_and_its_flags_by_letter_and_word() {
        let mysql = named("/usr/bin/mysql").expect("mysql is in the table");
        assert_eq!(
            (mysql.attached("-px"), mysql.attached("-p"), mysql.attached("-uroot")),
            (Some(2), None, None)
        );
        let curl = named("curl").expect("curl is in the table");
        assert_eq!((curl.attached("--user=a:b"), curl.attached("-ua:b")), (Some(7), Some(2)));
        assert!(named("mkdir").is_none() && named("/").is_none());
    }
}
