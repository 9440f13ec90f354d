//! The kinds of secrets that are planted: a table of templates, filled in at random, so that no two plants are equal.
//!
//! `{x:n}` stands for n random characters: a lower case, A upper case, n digits, h hexadecimal, H upper-case hexadecimal,
//! w letters and digits, l lower case and digits, u upper case and digits, b base64url, B base64, k pronounceable letters.
//! The random runs are what must not come out again; the rest of the template is public.
//!
//! Every fourth kind, chosen by a hash of its name, is held out: rules were written and mended against the others only.

use super::random::Random;

/// How a kind can be told from a harmless word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// The policy can recognise it wherever it stands.
    Known,
    /// It looks like a name, a word or a number: only its place gives it away.
    Plain,
    /// It has the shape of what the engine itself writes at some places (ids, ports).
    Twin,
}

/// A kind of secret.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KindOf {
    pub(crate) name: &'static str,
    pub(crate) look: Look,
    template: &'static str,
}

/// One secret.
#[derive(Clone, Debug)]
pub(crate) struct Secret {
    pub(crate) text: String,
    /// Its random parts, four characters or longer.
    pub(crate) canaries: Vec<String>,
}

impl KindOf {
    /// Whether rules were written without looking at it.
    pub(crate) fn held_out(&self) -> bool {
        super::is_held_out(self.name)
    }

    pub(crate) fn make(&self, random: &mut Random) -> Secret {
        let mut text = String::new();
        let mut canaries = Vec::new();
        let mut rest = self.template;
        let mut touches = false;
        while let Some(at) = rest.find('{') {
            touches &= at == 0;
            text.push_str(&rest[..at]);
            rest = &rest[at..];
            let Some((class, length, end)) = slot(rest) else {
                text.push('{');
                rest = &rest[1..];
                continue;
            };
            let run = random.run(class, length);
            text.push_str(&run);
            // Runs that touch are one.
            match canaries.last_mut() {
                Some(last) if text.ends_with(&run) && touches => String::push_str(last, &run),
                _ => canaries.push(run),
            }
            rest = &rest[end..];
            touches = rest.starts_with('{');
        }
        text.push_str(rest);
        canaries.retain(|run| run.len() >= 4);
        Secret { text, canaries }
    }
}

/// `{x:n}` at the start: the class, the length, and where it ends.
fn slot(text: &str) -> Option<(char, usize, usize)> {
    let end = text.find('}')?;
    let (class, length) = text[1..end].split_once(':')?;
    let class = class.chars().next().filter(|_| class.len() == 1)?;
    Some((class, length.parse().ok()?, end + 1))
}

const fn known(name: &'static str, template: &'static str) -> KindOf {
    KindOf { name, look: Look::Known, template }
}

const fn plain(name: &'static str, template: &'static str) -> KindOf {
    KindOf { name, look: Look::Plain, template }
}

const fn twin(name: &'static str, template: &'static str) -> KindOf {
    KindOf { name, look: Look::Twin, template }
}

pub(crate) const KINDS: &[KindOf] = &[
    // Clouds.
    known("aws access key", "AKIA{A:16}"),
    known("aws temporary key", "ASIA{A:16}"),
    known("aws secret key", "{B:40}"),
    known("aws session token", "IQoJb3JpZ2luX2VjE{B:120}"),
    known("aws bedrock key", "ABSK{B:109}="),
    known("aws mws token", "amzn.mws.{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"),
    known("google api key", "AIza{w:35}"),
    known("google oauth secret", "GOCSPX-{w:28}"),
    known("google access token", "ya29.{b:80}"),
    known("google refresh token", "1//0{b:40}"),
    known("google service account", r#"{"type":"service_account","private_key_id":"{h:40}"}"#),
    known("firebase server key", "AAAA{b:7}:{b:140}"),
    known("azure client secret", "{w:3}8Q~{w:34}"),
    known(
        "azure storage key",
        "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={B:86}==;EndpointSuffix=core.windows.net",
    ),
    known("azure sas url", "https://shop.blob.core.windows.net/c?sv=2022-11-02&sig={B:43}%3D"),
    known(
        "azure service bus",
        "Endpoint=sb://shop.servicebus.windows.net/;SharedAccessKeyName=root;SharedAccessKey={B:43}=",
    ),
    known("azure devops token", "{l:52}"),
    known("azure ai key", "{w:52}JQQJ99{w:22}"),
    known("alibaba access key", "LTAI{w:20}"),
    known("tencent secret id", "AKID{w:32}"),
    known("ibm cloud key", "{b:44}"),
    known("oracle config key", "key_file=/x/oci.pem pass_phrase={w:20}"),
    known("digitalocean token", "dop_v1_{h:64}"),
    known("digitalocean refresh token", "dor_v1_{h:64}"),
    known("linode token", "{h:64}0{h:7}"),
    known("hetzner token", "{w:64}"),
    known("scaleway secret", "{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"),
    known("vultr key", "{u:36}"),
    known("cloudflare api token", "{w:40}"),
    known("cloudflare origin key", "v1.0-{h:24}-{h:146}"),
    known("fly token", "fm2_{B:60}"),
    known("heroku key", "HRKU-AA{b:58}"),
    known("render key", "rnd_{w:28}"),
    known("vercel token", "vercel_{w:24}"),
    known("netlify token", "nfp_{w:36}"),
    known("supabase token", "sbp_{h:40}"),
    known("planetscale password", "pscale_pw_{w:43}"),
    known(
        "neon url",
        "postgresql://owner:npg_{w:12}@ep-cool-dawn.eu-central-1.aws.neon.tech/neondb?sslmode=require",
    ),
    // Code hosts and build services.
    known("github token", "ghp_{w:36}"),
    known("github oauth token", "gho_{w:36}"),
    known("github app token", "ghs_{w:36}"),
    known("github refresh token", "ghr_{w:76}"),
    known("github fine-grained token", "github_pat_{w:22}_{w:59}"),
    known("gitlab token", "glpat-{b:20}"),
    known("gitlab runner token", "glrt-{b:20}"),
    known("gitlab deploy token", "gldt-{b:20}"),
    known("gitlab registration token", "GR1348941{b:20}"),
    known("bitbucket app password", "ATBB{w:32}"),
    known("atlassian token", "ATATT3xFfGF0{b:160}={h:8}"),
    known("circleci token", "CCIPAT_{w:22}_{h:40}"),
    known("buildkite token", "bkua_{h:40}"),
    known("travis token", "{w:22}"),
    known("sonar token", "sqp_{h:40}"),
    known("snyk token", "{h:8}-{h:4}-4{h:3}-a{h:3}-{h:12}"),
    known("codecov token", "{h:8}-{h:4}-4{h:3}-b{h:3}-{h:12}"),
    known("terraform token", "{w:14}.atlasv1.{b:67}"),
    known("pulumi token", "pul-{h:40}"),
    known("vault token", "hvs.{b:24}"),
    known("vault batch token", "hvb.{b:140}"),
    known("doppler token", "dp.st.dev.{w:40}"),
    known("npm token", "npm_{w:36}"),
    known("pypi token", "pypi-AgEIcHlwaS5vcmc{b:60}"),
    known("rubygems key", "rubygems_{h:48}"),
    known("cargo registry token", "cio{w:32}"),
    known("nuget key", "oy2{l:43}"),
    known("docker hub token", "dckr_pat_{b:27}"),
    known("docker config", r#"{"auths":{"https://index.docker.io/v1/":{"auth":"{B:32}"}}}"#),
    known("clojars token", "CLOJARS_{l:60}"),
    known("artifactory key", "AKCp{w:69}"),
    // Chat, mail, telephony.
    known("slack bot token", "xoxb-{n:12}-{n:12}-{w:24}"),
    known("slack user token", "xoxp-{n:12}-{n:12}-{n:12}-{h:32}"),
    known("slack app token", "xapp-1-A{u:10}-{n:13}-{h:64}"),
    known("slack webhook", "https://hooks.slack.com/services/T{u:8}/B{u:10}/{w:24}"),
    known("discord webhook", "https://discord.com/api/webhooks/{n:18}/{b:68}"),
    known("discord bot token", "M{w:23}.{w:6}.{b:38}"),
    known(
        "teams webhook",
        "https://shop.webhook.office.com/webhookb2/{h:8}-{h:4}-{h:4}-{h:4}-{h:12}@{h:8}/IncomingWebhook/{h:32}",
    ),
    known("telegram token", "{n:10}:AA{b:33}"),
    known("twilio key", "SK{h:32}"),
    known("twilio token", "{h:32}"),
    known("sendgrid key", "SG.{b:22}.{b:43}"),
    known("mailgun key", "key-{h:32}"),
    known("mailchimp key", "{h:32}-us12"),
    known("brevo key", "xkeysib-{h:64}-{w:16}"),
    known("resend key", "re_{w:8}_{w:24}"),
    known("postmark token", "{h:8}-{h:4}-4{h:3}-9{h:3}-{h:12}"),
    known("zapier webhook", "https://hooks.zapier.com/hooks/catch/{n:8}/{l:7}/"),
    known("matrix token", "syt_{w:12}_{w:20}_{w:6}"),
    // Payments and shops.
    known("stripe key", "sk_live_{w:24}"),
    known("stripe restricted key", "rk_live_{w:24}"),
    known("stripe webhook secret", "whsec_{w:32}"),
    known("paypal braintree token", "access_token$production${l:16}${h:32}"),
    known("square token", "sq0atp-{b:22}"),
    known("square secret", "sq0csp-{b:43}"),
    known("shopify token", "shpat_{h:32}"),
    known("shopify secret", "shpss_{h:32}"),
    known("plaid token", "access-production-{h:8}-{h:4}-{h:4}-{h:4}-{h:12}"),
    known("coinbase secret", "{B:86}=="),
    known("adyen key", "AQE{b:60}"),
    known("razorpay key", "rzp_live_{w:14}"),
    // Models and data.
    known("openai key", "sk-{w:20}T3BlbkFJ{w:20}"),
    known("openai project key", "sk-proj-{b:60}"),
    known("anthropic key", "sk-ant-api03-{b:93}AA"),
    known("hugging face token", "hf_{w:34}"),
    known("replicate token", "r8_{w:37}"),
    known("groq key", "gsk_{w:52}"),
    known("cohere key", "{w:40}"),
    known("mistral key", "{w:32}"),
    known("databricks token", "dapi{h:32}"),
    known("snowflake password", "account=ab123;user=loader;password={w:16}"),
    known("algolia key", "{h:32}"),
    known("mapbox token", "sk.eyJ{w:60}.{w:22}"),
    known("elastic api key", "{B:58}=="),
    known("confluent secret", "{B:64}"),
    // Watching.
    known("datadog key", "{h:32}"),
    known("datadog app key", "ddapp_{w:34}"),
    known("new relic key", "NRAK-{u:27}"),
    known("new relic ingest key", "{h:36}NRAL"),
    known("grafana token", "glsa_{w:32}_{h:8}"),
    known("grafana cloud token", "glc_{B:60}"),
    known("sentry dsn", "https://{h:32}@o42.ingest.sentry.io/42"),
    known("sentry token", "sntrys_{b:60}"),
    known("honeycomb key", "hcaik_{l:58}"),
    known("pagerduty key", "u+{w:18}"),
    known("dynatrace token", "dt0c01.{u:24}.{u:64}"),
    known("rollbar token", "{h:32}"),
    // Work tools.
    known("notion token", "ntn_{w:46}"),
    known("notion old token", "secret_{w:43}"),
    known("linear key", "lin_api_{w:40}"),
    known("figma token", "figd_{b:40}"),
    known("airtable token", "pat{w:14}.{h:64}"),
    known("asana token", "1/{n:16}:{h:32}"),
    known("postman key", "PMAK-{h:24}-{h:34}"),
    known("okta token", "SSWS 00{b:40}"),
    known("1password secret key", "A3-{u:6}-{u:11}-{u:5}-{u:5}-{u:5}"),
    known("1password service token", "ops_eyJ{w:120}"),
    known("tailscale key", "tskey-auth-{w:12}CNTRL-{w:32}"),
    known("facebook token", "EAAC{w:100}"),
    known("twitter bearer", "AAAAAAAAAAAAAAAAAAAAA{w:60}"),
    known("twitch token", "oauth:{l:30}"),
    // Keys, tokens, hashes.
    known("jwt", "eyJhbGciOiJIUzI1NiJ9.eyJ{w:30}.{b:43}"),
    known("unsigned jwt", "eyJhbGciOiJub25lIn0.eyJ{w:30}."),
    known("jwe", "eyJhbGciOiJkaXIifQ..{b:16}.{b:40}.{b:22}"),
    known("jwk", r#"{"kty":"oct","k":"{b:43}"}"#),
    known(
        "rsa private key",
        "-----BEGIN RSA PRIVATE KEY-----\n{B:64}\n{B:64}\n-----END RSA PRIVATE KEY-----",
    ),
    known("private key on one line", r"-----BEGIN PRIVATE KEY-----\n{B:64}\n-----END PRIVATE KEY-----"),
    known(
        "openssh private key",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjE{B:64}\n-----END OPENSSH PRIVATE KEY-----",
    ),
    known(
        "pgp private key",
        "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n{B:64}\n-----END PGP PRIVATE KEY BLOCK-----",
    ),
    known("putty key", "PuTTY-User-Key-File-3: ssh-ed25519\nPrivate-Lines: 1\n{B:48}"),
    known("der key in base64", "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC{B:120}"),
    known("age key", "AGE-SECRET-KEY-1{u:58}"),
    known("wireguard key", "PrivateKey = {B:43}="),
    known("bcrypt hash", "$2y$10${B:53}"),
    known("apr1 hash", "admin:$apr1${w:8}${w:22}"),
    known("sha512 crypt hash", "$6${w:16}${B:86}"),
    known("argon2 hash", "$argon2id$v=19$m=65536,t=3,p=4${B:22}${B:43}"),
    known("django hash", "pbkdf2_sha256$260000${w:22}${B:43}="),
    known("ldap hash", "{SSHA}{B:32}"),
    known("scram verifier", "SCRAM-SHA-256$4096:{B:22}==${B:43}=:{B:43}="),
    known("postgres md5", "md5{h:32}"),
    known("fernet key", "{b:43}="),
    known("rails master key", "{h:32}"),
    known("rails secret key base", "{h:128}"),
    known("laravel key", "base64:{B:43}="),
    known("totp secret", "otpauth://totp/Shop:a?secret={A:32}&issuer=Shop"),
    known("swarm join token", "SWMTKN-1-{l:50}-{l:25}"),
    known("kubernetes bootstrap token", "{l:6}.{l:16}"),
    known("random password", "{w:24}"),
    known("random hex", "{h:48}"),
    known("uuid", "{h:8}-{h:4}-4{h:3}-8{h:3}-{h:12}"),
    // Credentials in something else.
    known("database url", "postgres://app:{w:12}@db:5432/app"),
    known("redis url", "redis://:{w:12}@cache:6379/0"),
    known("amqp url", "amqps://shop:{k:10}@queue:5671/%2f"),
    known("mongodb url", "mongodb://root:{w:10}@a:27017,b:27017/x?replicaSet=r"),
    known("mysql dsn", "root:{w:12}@tcp(db:3306)/shop?parseTime=true"),
    known("jdbc url", "jdbc:postgresql://db/shop?user=app&password={w:12}"),
    known("ado string", "Server=db;Database=shop;User Id=sa;Password={w:12};"),
    known("libpq string", "host=db dbname=shop user=app password={k:10}"),
    known("basic auth header", "Authorization: Basic {B:24}"),
    known("bearer header", "Authorization: Bearer {w:32}"),
    known("curl with login", "curl -u admin:{k:10} https://h/"),
    known("mysql with password", "mysql -uroot -p{k:10} shop"),
    known("flag with password", "--password={k:10}"),
    known("json with password", r#"{"user":"app","password":"{k:10}"}"#),
    known("yaml with token", "token: {k:12}\nother: 1"),
    known("netrc line", "machine h login a password {k:10}"),
    known("url with token", "https://api.example.com/v1/items?access_token={k:14}"),
    known("cookie header", "Cookie: session={w:40}"),
    known("ini assignment", "db_password = {k:10}"),
    known("export line", "export API_KEY={k:12}"),
    // Written by somebody who had not read the rules.
    known("scaleway access key", "SCW{u:17}"),
    known("wakatime key", "waka_{h:8}-{h:4}-4{h:3}-a{h:3}-{h:12}"),
    known("hubspot token", "pat-na1-{h:8}-{h:4}-4{h:3}-a{h:3}-{h:12}"),
    known("flutterwave key", "FLWSECK_TEST-{h:32}"),
    known("neon key", "napi_{w:64}"),
    known("xai key", "xai-{w:80}"),
    known("snyk personal token", "snyk_uat.{b:60}"),
    known("typeform token", "tfp_{b:59}"),
    known("readme key", "rdme_{l:70}"),
    known("base32 seed", "{A:32}"),
    known("telegram url", "https://api.telegram.org/bot{n:10}:AA{b:33}/sendMessage"),
    known("paseto", "v2.local.{b:120}"),
    known("shadowsocks url", "ss://{B:48}@203.0.113.9:8388"),
    known("token after an underscore", "my_ghp_{w:36}"),
    known("uuid after an underscore", "prod_{h:8}-{h:4}-4{h:3}-8{h:3}-{h:12}"),
    known("password with a slash", "postgres://app:{k:8}/{k:8}@db:5432/app"),
    known("password with a question mark", "amqp://app:{k:8}?{k:8}@mq/x"),
    known("kafka jaas", "PlainLoginModule required username=\"u\" password=\"{k:10}\";"),
    known("java property", "-Djavax.net.ssl.keyStorePassword={k:10}"),
    known("ruby hash", "{:password=>\"{k:10}\"}"),
    known("python dictionary", "{'user': 'x', 'password': '{k:10}'}"),
    known("camel case in json", r#"{"db":{"sharedSecret":"{k:10}"}}"#),
    known("list under a secret's name", r#"{"passwords":["{k:10}"]}"#),
    known("api key scheme", "Authorization: ApiKey {k:14}"),
    known("private token header", "PRIVATE-TOKEN: {k:14}"),
    known("session cookie", "JSESSIONID={u:32}"),
    known("ssh password variable", "SSHPASS={k:10}"),
    known("mnemonic variable", "MNEMONIC={k:10}"),
    known("spanish name", "contraseña={k:10}"),
    known("french name", "mot_de_passe={k:10}"),
    known("russian name", "пароль={k:10}"),
    known("chinese name", "密码={k:10}"),
    known("korean name", "비밀번호={k:10}"),
    known("long user flag", "curl --user=admin:{k:10} http://h/"),
    known("kubernetes configuration", "users:\n- user:\n    token: {k:14}\n"),
    known("npm credentials", "//registry.example.org/:_authToken={k:14}"),
    known("putty mac", "PuTTY-User-Key-File-2: ssh-rsa\nPrivate-MAC: {h:40}"),
    known("wireguard preshared key", "PresharedKey={B:43}="),
    known("swarm unlock key", "SWMKEY-1-{B:43}"),
    known("htpasswd in compose", "admin:$$2y$$05$${w:53}"),
    // What nothing gives away but its place.
    plain("short password", "{k:5}{n:2}"),
    plain("word", "{k:9}"),
    plain("two words", "{k:9} {k:9}"),
    plain("passphrase", "{k:9} {k:9} {k:10} {k:9}"),
    plain("passphrase with dashes", "{k:9}-{k:9}-{k:10}"),
    plain("word and year", "{k:9}2024"),
    plain("word with marks", "{k:9}!{k:9}"),
    plain("quotes", r#"{k:9}"{k:9}'{k:9}"#),
    plain("backslashes", r"{k:9}\{k:9}\\{k:9}"),
    plain("blanks around", "  {k:9}  "),
    plain("unicode", "pässwörd-{k:10}-密码"),
    plain("emoji", "{k:10}🔑{k:9}"),
    plain("two lines", "{k:10}\n{k:10}"),
    plain("percent signs", "{k:9}%{k:9}%41"),
    plain("long number", "{n:9}"),
    plain("letters and digits", "{a:4}{n:4}"),
    plain("ten kilobytes", "{k:10000}"),
    plain("path", "/{k:10}/{k:9}"),
    plain("mail address", "{k:10}@{k:9}.example"),
    plain("host name", "{k:10}.{k:10}.internal"),
    twin("pin", "{n:4}"),
    twin("key of 64 digits", "{h:64}"),
    twin("key of 40 digits", "{h:40}"),
    twin("key of 25 characters", "{l:25}"),
];
