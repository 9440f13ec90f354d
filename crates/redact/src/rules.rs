//! The forms of secrets, regardless of their place: one table with a pattern, the literals without which it cannot match,
//! and examples that must and must not match; a test checks every row. Examples are split in two so that the scanners of
//! code hosts do not take them for real secrets.

use crate::placeholder::Kind::{self, Jwt, PrivateKey, Token, UrlPassword};

/// One way to recognise a secret.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// One of these literals, in lower case, must be in the text (in any case) before the pattern is tried.
    pub(crate) literals: &'static [&'static str],
    /// Linear-time regular expression over bytes.
    pub(crate) pattern: &'static str,
    /// Texts that match; `~` is removed from them first.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of the table reads it"))]
    pub(crate) hits: &'static [&'static str],
    /// Similar texts that do not match.
    #[cfg_attr(not(test), expect(dead_code, reason = "the test of the table reads it"))]
    pub(crate) misses: &'static [&'static str],
}

macro_rules! rules {
    ($($name:literal $kind:ident $literals:expr, $pattern:literal, $hits:expr, $misses:expr;)*) => {
        &[$(Rule { name: $name, kind: $kind, literals: &$literals, pattern: $pattern, hits: &$hits, misses: &$misses }),*]
    };
}

/// The table. If a kind of secret has no row and does not look random, it is shown where its shape is permitted.
pub(crate) const RULES: &[Rule] = rules! {
    // URLs, connection strings, headers, options.
    "url userinfo" UrlPassword ["://"], r"(?i)[a-z][a-z0-9+.-]*://[^\s/?#@]*:([^\s/?#]+|\d*[^\s/?#@\d][^\s@]*)@", ["redis://:pw@h", "http://a:b@h/x", "mongodb://u:p@a,b/c", "amqp://u:p/q?r#s@h"], ["http://h:80/a", "http://h/a:b@c", "http://h:80/a@b"];
    "url user" UrlPassword ["://"], r"(?i)[a-z][a-z0-9+.-]*://[^\s/?#@:][^\s/?#@]*@", ["https://0a1b@sentry.io/1"], ["https://sentry.io/1"];
    "dsn userinfo" UrlPassword ["@tcp(", "@unix(", "@("], r"(?i)[^\s:@/]+:[^\s@]*@(tcp|unix)?\(", ["root:pw@tcp(db:3306)/a"], ["tcp(db:3306)/a"];
    "user and password before a host" UrlPassword ["@"], r"(?i)(^|[\s=/])[^\s:@/]+:[^\s@/]+@[a-z0-9.-]+(:\d+)?(/|$)", ["user:pw@db:5432/app", "reg/user:pw@ghcr.io/app"], ["app@sha256:abc", "a:b"];
    "secret in a query" Token ["token", "sig", "key", "pass", "pwd", "secret", "auth", "code", "x-amz", "cred"], r"(?i)[?&;](access_|refresh_|id_|auth_|api_|client_|shared)?(token|sig|signature|key|apikey|password|passwd|pwd|pass|secret|auth|code|credential|x-amz-[a-z-]+)=[^&\s]+", ["https://h/a?token=~x", "?a=1&X-Amz-Signature=~ff"], ["?tokens=1", "?page=2"];
    "webhook path" Token ["hooks.slack", "discord", "webhook", "hooks.zapier", "outlook.office", "hooks.stripe", "chat.googleapis"], r"(?i)(hooks\.slack\.com/(services|workflows|triggers)/|discord(app)?\.com/api/webhooks/|webhook\.office\.com/webhookb2/|outlook\.office\.com/webhook/|hooks\.zapier\.com/hooks/|chat\.googleapis\.com/v1/spaces/|/webhooks?/)[\w@/-]{8,}", ["https://hooks.slack.com/services/~T00/B00/XXXXXXXX", "https://discord.com/api/webhooks/~1/abcdefgh"], ["https://slack.com/intl", "/webhook"];
    "connection string" Token ["password", "pwd", "accountkey", "sharedaccess", "accesskey", "user id", "uid"], r"(?i)(^|[;\s?&,'\x22(])(password|passwd|pwd|accountkey|sharedaccesskey|sharedaccesssignature|accesskey|user id|uid)\s*=\s*[^;\s]", ["Server=a;Password=~b", "host=a password=~b", "DefaultEndpointsProtocol=https;AccountKey=~a"], ["password", "passwords = none"];
    "named secret" Token ["pass", "pwd", "secret", "token", "key", "auth", "cred"], r"(?i)(password|passwd|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key|credentials?)[\x22']?\s*[=:]\s*[\x22']?[^\s\x22',;}]{1,}", ["DB_PASSWORD=~a", r#"{"token": "~x"}"#, "api-key: ~x"], ["tokenizer", "secretary", "password"];
    "authorization header" Token ["basic ", "bearer ", "token ", "digest ", "negotiate "], r"(?i)(\b|_)(basic|bearer|token|digest|negotiate)\s+[a-z0-9+/=._~-]{6,}", ["Authorization: Bearer ~abcdef1", "Basic ~dXNlcjpwdw=="], ["bearer of", "basic ab"];
    "password option" Token ["-u", "--user", "--proxy-user", "--pass", "--token", "--secret", "--key", "--auth", "-p", "-a"], r"(?i)(^|[^a-z0-9_-])((-u ?|--(proxy-)?user[= ])[^\s:]+:\S+|--(pass(word|wd|phrase)?|token|secret|api-?key|auth)[= ]\S+|(mysql|mysqladmin|mysqldump|mariadb|mongo|mongosh|psql|sshpass)\s(.*\s)?-p\s?\S+|redis-cli\s(.*\s)?-a\s*\S+)", ["curl -u ~a:b h", "--user=~a:b", "--password ~x", "mysql -u root -p~x", "redis-cli -a ~x ping"], ["-u root", "tar -p x", "mkdir -p /a"];
    "netrc" Token ["machine "], r"(?i)machine\s+\S+\s+login\s+\S+\s+password\s+\S+", ["machine h login a password ~b"], ["machine h"];
    "docker auth" Token ["\"auth\""], r#"(?i)"auth"\s*:\s*"[A-Za-z0-9+/=]{4,}""#, [r#"{"auths":{"h":{"auth":"~YTpi"}}}"#], [r#"{"auth":""}"#];

    // Signed or encrypted data, and keys.
    "json web token" Jwt ["eyj"], r"(\b|_)eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{4,}", ["eyJ~hbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefgh"], ["eyJ", "heyJude.mp3"];
    "json web key" PrivateKey ["\"kty\""], r#""kty"\s*:\s*"(RSA|EC|OKP|oct)""#, [r#"{"kty":~"oct","k":"x"}"#], [r#"{"kty":""}"#];
    "pem block" PrivateKey ["-----begin"], r"-----BEGIN [A-Z0-9 ]*(PRIVATE KEY|CERTIFICATE|PGP|MESSAGE|PARAMETERS)", ["-----BEGIN RSA ~PRIVATE KEY-----", "-----BEGIN ~PRIVATE KEY-----\\nMIIE"], ["-----BEGIN HELP"];
    "pem in base64" PrivateKey ["ls0tls1crudjti"], r"LS0tLS1CRUdJTi", ["~LS0tLS1CRUdJTiBSU0E="], ["LS0t"];
    "putty key" PrivateKey ["putty-user-key"], r"PuTTY-User-Key-File-\d", ["PuTTY-User-~Key-File-3: ssh-rsa"], ["PuTTY"];
    "openssh key in base64" PrivateKey ["b3blbnnzac1rzxkt"], r"b3BlbnNzaC1rZXkt", ["~b3BlbnNzaC1rZXktdjEA"], ["b3Blb"];
    "der key in base64" PrivateKey ["mii"], r"(\b|_)MI[IG][A-Za-z0-9+/]{40,}", ["~MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIB"], ["MIISHORT"];
    "age key" PrivateKey ["age-secret-key-"], r"(?i)AGE-SECRET-KEY-1[0-9A-Z]{20,}", ["AGE-SECRET-~KEY-1QQQQQQQQQQQQQQQQQQQQQQ"], ["AGE-SECRET-KEY-"];
    "wireguard key" PrivateKey ["key"], r"(?i)(private|preshared)_?key\s*[=:]\s*[A-Za-z0-9+/]{43}=", ["PrivateKey = ~yAnz5TF+lXXJte14tji3zlMNq+hd2rYUIgJBgB3fBmk="], ["PublicKey = x"];
    "tailscale key" Token ["tskey-"], r"tskey-[a-z]+-[A-Za-z0-9]{6,}", ["tskey-~auth-k1234567CNTRL-abc"], ["tskey-"];

    "uuid" Token ["-"], r"(?i)(\b|_)[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}(\b|_)", ["0f8fad5b-d9cb~-469f-a165-70867728950e"], ["a-b-c-d-e", "0f8fad5b-d9cb"];

    // Password hashes.
    "crypt hash" Token ["$"], r"\$(2[abxy]|apr1|[1567y]|gy|argon2(id|i|d)|pbkdf2[a-z0-9-]*|scrypt|7)\$[^\s:]{8,}", ["$2y$~10$abcdefghijklmnopqrstuv", "$apr1$~abcdefgh$1234567890"], ["$1", "$HOME/a", "cost$5$ab"];
    "ldap hash" Token ["{ssha", "{sha", "{md5", "{smd5", "{crypt"], r"(?i)\{(SSHA|SHA|SSHA256|SSHA512|SHA256|SHA512|MD5|SMD5|CRYPT)\}\S{6,}", ["{SHA}~5en6G6MezRroT3XKqkdPOmY/BfQ="], ["{SHA}"];
    "django hash" Token ["pbkdf2_", "bcrypt_", "argon2$"], r"(?i)(pbkdf2_sha(1|256|512)|bcrypt_sha256|argon2)\$\S{8,}", ["pbkdf2_sha256$~260000$abc$def"], ["pbkdf2_sha256"];
    "scram verifier" Token ["scram-sha-"], r"(?i)SCRAM-SHA-(1|256|512)\$\S{8,}", ["SCRAM-SHA-256$~4096:abc$def:ghi"], ["SCRAM-SHA-256"];
    "postgres md5" Token ["md5"], r"(\b|_)md5[0-9a-f]{32}(\b|_)", ["md5~5f4dcc3b5aa765d61d8327deb882cf99"], ["md5sum"];

    // Tokens with a prefix of their issuer.
    "aws access key" Token ["akia", "asia", "abia", "acca", "aroa", "aida", "aipa", "anpa", "anva", "agpa"], r"(?i)(\b|_)(AKIA|ASIA|ABIA|ACCA|AROA|AIDA|AIPA|ANPA|ANVA|AGPA)[A-Z2-7]{16}(\b|_)", ["AKIA~IOSFODNN7EXAMPLE"], ["ASIA", "asiatravelportal"];
    "aws bedrock key" Token ["absk"], r"(\b|_)ABSK[A-Za-z0-9+/]{40,}", ["ABSK~QmVkcm9ja0FQSUtleS1hYmNkZWZnaGlqa2xtbm9wcXJzdHV2"], ["ABSKI"];
    "google api key" Token ["aiza"], r"AIza[0-9A-Za-z_-]{30,}", ["AIza~SyA1234567890abcdefghijklmnopqrstuv"], ["AIza"];
    "google oauth" Token ["gocspx-", "ya29.", "1//0"], r"(GOCSPX-[A-Za-z0-9_-]{10,}|ya29\.[A-Za-z0-9_-]{10,}|(\b|_)1//0[A-Za-z0-9_-]{20,})", ["GOCSPX-~abcdefghijklmnop", "ya29.~a0AfH6SMabcdefg"], ["ya29."];
    "google service account" PrivateKey ["\"private_key", "service_account"], r#""(private_key(_id)?|type)"\s*:\s*"(-----BEGIN|service_account|[0-9a-f]{40})"#, [r#"{"type": ~"service_account"}"#], [r#"{"type":"x"}"#];
    "github token" Token ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_"], r"(?i)(gh[pousr]_[A-Za-z0-9]{16,}|github_pat_[A-Za-z0-9_]{16,})", ["ghp_~abcdefghijklmnopqrstuvwxyz0123456789"], ["ghp_"];
    "gitlab token" Token ["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "glsoat-", "glagent-", "gloas-", "glimt-", "gr1348941"], r"(?i)(\b|_)(gl(pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[A-Za-z0-9_.-]{10,}|GR1348941[A-Za-z0-9_-]{10,})", ["glpat-~abcdefghij0123456789"], ["glpat-"];
    "bitbucket or atlassian token" Token ["atatt3", "atbb", "atctt3", "atssh"], r"(ATATT3[A-Za-z0-9_=-]{20,}|(\b|_)ATBB[A-Za-z0-9]{24,}|ATCTT3[A-Za-z0-9_=-]{20,})", ["ATATT3~xFfGF0abcdefghijklmnop"], ["ATBB"];
    "slack token" Token ["xox", "xapp-", "xwfp-"], r"(?i)(\b|_)(xox[abeoprs](-\d)?[-.][A-Za-z0-9-]{8,}|xapp-\d-[A-Za-z0-9-]{8,}|xwfp-[A-Za-z0-9-]{8,})", ["xoxb-~1234567890-abcdefghij", "xapp-~1-A0-abcdefgh"], ["xox", "xoxo-1"];
    "stripe key" Token ["sk_", "rk_", "pk_", "whsec_"], r"(?i)(\b|_)((sk|rk|pk)_(live|test|prod)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{8,})", ["sk_live_~abcdefgh12345678", "whsec_~abcdefgh12"], ["sk_live_", "task_live_a"];
    "twilio key" Token ["sk", "ac"], r"(\b|_)(SK|AC|AP)[0-9a-f]{32}(\b|_)", ["SK~0123456789abcdef0123456789abcdef"], ["SKU", "AC0123"];
    "sendgrid key" Token ["sg."], r"(\b|_)SG\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}", ["SG.~abcdefghijklmnop.abcdefghijklmnopqrst"], ["SG.a.b"];
    "mailgun key" Token ["key-"], r"(\b|_)key-[0-9a-f]{32}(\b|_)", ["key-~0123456789abcdef0123456789abcdef"], ["key-id"];
    "mailchimp key" Token ["-us"], r"(\b|_)[0-9a-f]{32}-us\d{1,2}(\b|_)", ["0123456789abcdef~0123456789abcdef-us12"], ["node-us1"];
    "npm token" Token ["npm_"], r"(\b|_)npm_[A-Za-z0-9]{20,}", ["npm_~abcdefghijklmnopqrstuvwxyz0123456789"], ["npm_config_cache", "npm_lifecycle_script"];
    "pypi token" Token ["pypi-"], r"(\b|_)pypi-[A-Za-z0-9_-]{16,}", ["pypi-~AgEIcHlwaS5vcmcCJDAwMDAw"], ["pypi-mirror"];
    "rubygems key" Token ["rubygems_"], r"rubygems_[0-9a-f]{20,}", ["rubygems_~0123456789abcdef0123456789abcdef"], ["rubygems_org"];
    "cargo registry token" Token ["cio"], r"(\b|_)cio[A-Za-z0-9]{32}(\b|_)", ["cio~abcdefghijklmnopqrstuvwxyz012345"], ["cioffi"];
    "nuget key" Token ["oy2"], r"(\b|_)oy2[a-z0-9]{43}(\b|_)", ["oy2~abcdefghijklmnopqrstuvwxyz0123456789abcdefg"], ["oy2"];
    "docker hub token" Token ["dckr_"], r"dckr_(pat|oat)_[A-Za-z0-9_-]{10,}", ["dckr_pat_~abcdefghij0123456789"], ["dckr_pat_"];
    "digitalocean token" Token ["dop_v1_", "doo_v1_", "dor_v1_"], r"do[opr]_v1_[0-9a-f]{16,}", ["dop_v1_~0123456789abcdef0123456789abcdef"], ["dop_v1_"];
    "vault token" Token ["hvs.", "hvb.", "hvr."], r"(\b|_)hv[sbr]\.[A-Za-z0-9_-]{12,}", ["hvs.~CAESIabcdefghijkl"], ["hvs.a"];
    "terraform token" Token [".atlasv1."], r"[A-Za-z0-9]{10,}\.atlasv1\.[A-Za-z0-9_-]{20,}", ["abcdefghij1234~.atlasv1.abcdefghijklmnopqrstuvw"], ["a.atlasv1.b"];
    "openai or anthropic key" Token ["sk-"], r"(\b|_)sk-[A-Za-z0-9_-]{16,}", ["sk-~abcdefghijklmnopqrst", "sk-ant-~api03-abcdefghijkl"], ["sk-a", "task-abcdefghijklmnopqrstuv"];
    "hugging face token" Token ["hf_", "api_org_"], r"(\b|_)(hf|api_org)_[A-Za-z]{20,}", ["hf_~abcdefghijklmnopqrstuvwxyzABCDEFGH"], ["hf_cache"];
    "replicate token" Token ["r8_"], r"(\b|_)r8_[A-Za-z0-9]{20,}", ["r8_~abcdefghijklmnopqrstuvwxyz0123456789"], ["r8_a"];
    "groq, xai, perplexity, fireworks keys" Token ["gsk_", "xai-", "pplx-", "fw_"], r"(\b|_)(gsk_|xai-|pplx-|fw_)[A-Za-z0-9]{20,}", ["gsk_~abcdefghijklmnopqrstuvwxyz"], ["xai-lab"];
    "telegram token" Token [":aa"], r"(^|\D)\d{6,12}:AA[A-Za-z0-9_-]{20,}", ["123456789:AA~Habcdefghijklmnopqrstuvwxyz", "/bot123456789:AA~Habcdefghijklmnopqrstuvwxyz"], ["12:AA"];
    "discord token" Token ["."], r"(\b|_)[MNO][A-Za-z\d_-]{22,28}\.[\w-]{6}\.[\w-]{25,}", ["MTAxMjM0NTY3ODkwMTIzNDU2Nw~.GabcdE.abcdefghijklmnopqrstuvwxyz12"], ["My.File.txt"];
    "heroku key" Token ["hrku-"], r"HRKU-[A-Za-z0-9_-]{20,}", ["HRKU-~AAabcdefghijklmnopqrst"], ["HRKU"];
    "cloudflare key" Token ["v1.0-", "cfut_", "cfat_", "cfk_"], r"(\b|_)(v1\.0-[0-9a-f]{24}-[0-9a-f]{40,}|cf(ut|at|k)_[A-Za-z0-9]{20,})", ["v1.0-~0123456789abcdef01234567-0123456789abcdef0123456789abcdef01234567"], ["v1.0-rc"];
    "datadog key" Token ["ddapp_", "dd_api"], r"(\b|_)ddapp_[A-Za-z0-9]{20,}", ["ddapp_~abcdefghijklmnopqrstuvwxyz"], ["ddapp"];
    "new relic key" Token ["nrak-", "nraa-", "nrjs-", "nrii-", "nral"], r"(?i)(\b|_)(NRAK-[A-Z0-9]{20,}|NRAA-[a-f0-9]{20,}|NRJS-[a-f0-9]{16,}|NRII-[A-Za-z0-9_-]{20,}|[a-f0-9]{30,40}NRAL)(\b|_)", ["NRAK-~ABCDEFGHIJKLMNOPQRSTUVWXYZ1"], ["NRAK"];
    "grafana token" Token ["glc_", "glsa_", "eyjr"], r"(\b|_)(glc_[A-Za-z0-9+/]{20,}|glsa_[A-Za-z0-9]{20,}_[0-9a-f]{8})", ["glsa_~abcdefghijklmnopqrstuvwxyz012345_0123abcd"], ["glc_a"];
    "sentry token" Token ["sntrys_", "sntryu_"], r"(\b|_)sntry[su]_[A-Za-z0-9+/=_-]{16,}", ["sntryu_~0123456789abcdef0123456789abcdef"], ["sntry"];
    "linear, notion, figma, airtable, asana keys" Token ["lin_api_", "ntn_", "secret_", "figd_", "pat"], r"(\b|_)(lin_api_[A-Za-z0-9]{20,}|ntn_[A-Za-z0-9]{20,}|secret_[A-Za-z0-9]{20,}|figd_[A-Za-z0-9_-]{20,}|pat[A-Za-z0-9]{14}\.[0-9a-f]{32,})", ["lin_api_~abcdefghijklmnopqrstuvwxyz"], ["secret_name", "patch"];
    "shopify token" Token ["shpat_", "shpca_", "shppa_", "shpss_"], r"(\b|_)shp(at|ca|pa|ss)_[0-9a-fA-F]{16,}", ["shpat_~0123456789abcdef0123456789abcdef"], ["shpat"];
    "square token" Token ["eaaa", "sq0"], r"(\b|_)(EAAA[A-Za-z0-9_-]{30,}|sq0[a-z]{3}-[A-Za-z0-9_-]{20,})", ["sq0atp-~abcdefghijklmnopqrstuv"], ["sq0"];
    "paypal braintree token" Token ["access_token$"], r"access_token\$(production|sandbox)\$[0-9a-z]{10,}\$[0-9a-f]{20,}", ["access_token$~production$abcdefghij12$0123456789abcdef0123"], ["access_token"];
    "postman, planetscale, prefect, pulumi, doppler, databricks keys" Token ["pmak-", "pscale_", "pnu_", "pul-", "dp.pt.", "dp.st.", "dapi"], r"(\b|_)(PMAK-[A-Za-z0-9-]{20,}|pscale_(tkn|pw|oauth)_[A-Za-z0-9_.-]{16,}|pnu_[A-Za-z0-9]{20,}|pul-[0-9a-f]{20,}|dp\.(pt|st|ct|sa|scim|audit)\.[A-Za-z0-9._-]{16,}|dapi[0-9a-f]{32})", ["pul-~0123456789abcdef0123456789abcdef01234567", "dp.st.~dev.abcdefghijklmnopqrst"], ["pul-a", "dapidoc"];
    "fly, render, vercel, netlify, railway, supabase keys" Token ["fm1_", "fm2_", "fo1_", "rnd_", "vercel_", "nfp_", "sbp_", "sb_secret_"], r"(\b|_)(fm[12]_[A-Za-z0-9+/_-]{16,}|fo1_[A-Za-z0-9_-]{16,}|rnd_[A-Za-z0-9]{16,}|vercel_[A-Za-z0-9_]{20,}|nfp_[A-Za-z0-9]{20,}|sbp_[0-9a-f]{20,}|sb_secret_[A-Za-z0-9_-]{16,})", ["nfp_~abcdefghijklmnopqrstuvwxyz"], ["rnd_a"];
    "algolia, mapbox, maxmind, brevo, resend, mailersend keys" Token ["sk.eyj", "pk.eyj", "_mmk", "xkeysib-", "xsmtpsib-", "re_", "mlsn."], r"(\b|_)([sp]k\.eyJ[A-Za-z0-9_.-]{16,}|[A-Za-z0-9]{6}_[A-Za-z0-9]{29}_mmk|x(key|smtp)sib-[0-9a-f]{32,}[A-Za-z0-9-]*|re_[A-Za-z0-9]{6,}_[A-Za-z0-9]{12,}|mlsn\.[0-9a-f]{20,})", ["xkeysib-~0123456789abcdef0123456789abcdef"], ["re_a"];
    "azure and microsoft" Token ["q~", "acr", "acrregistry", "azcs", "jqqj99", "+astw", "+amcw"], r"([A-Za-z0-9_~.-]{3}\dQ~[A-Za-z0-9_~.-]{25,}|JQQJ99[A-Za-z0-9]{20,}|[A-Za-z0-9/+]{30,}\+(ASt|ARm|AMC|ABa|ACR|AIo)[A-Za-z0-9/+]{4,})", ["abc8Q~~abcdefghijklmnopqrstuvwxyz01234"], ["q~"];
    "alibaba, tencent, yandex keys" Token ["ltai", "akid", "aqva", "t1.9"], r"(\b|_)(LTAI[A-Za-z0-9]{12,}|AKID[A-Za-z0-9]{20,}|AQVN[A-Za-z0-9_-]{20,}|t1\.9[A-Za-z0-9_-]{20,})", ["LTAI~5tabcdefghijkl"], ["AKID"];
    "okta, auth0, 1password, lastpass, bitwarden" Token ["ssws ", "ops_eyj", "a3-"], r"(?i)(SSWS\s+\S{10,}|(\b|_)ops_eyJ[A-Za-z0-9+/=]{20,}|(\b|_)A3-[A-Z0-9]{6}-([A-Z0-9]{11}|[A-Z0-9]{6}-[A-Z0-9]{5})-[A-Z0-9]{5}-[A-Z0-9]{5}-[A-Z0-9]{5})", ["SSWS ~00abcdefghij"], ["a3-b"];
    "buildkite, circleci, codecov, sonar, snyk keys" Token ["bkua_", "bkct_", "ccipat_", "cciprj_", "sqp_", "sqa_", "squ_"], r"(\b|_)(bk(ua|ct|aj)_[0-9a-f]{20,}|cci(pat|prj)_[A-Za-z0-9_]{20,}|sq[pau]_[0-9a-f]{30,})", ["sqp_~0123456789abcdef0123456789abcdef01234567"], ["sqa_a"];
    "twitch, facebook, twitter, linkedin keys" Token ["oauth:", "eaac", "eaab", "aaaaaaaaaa"], r"((\b|_)oauth:[a-z0-9]{20,}|(\b|_)EAA[BC][A-Za-z0-9]{20,}|(\b|_)A{10,}[A-Za-z0-9%]{20,})", ["oauth:~abcdefghijklmnopqrstuvwxyz0123"], ["oauth:a"];
    "flask, rails, adobe, clojars, dynatrace, duffel, easypost, frame.io, lob keys" Token ["p8e-", "clojars_", "dt0c01.", "duffel_", "ezak", "eztk", "fio-u-", "live_", "test_"], r"(\b|_)(p8e-[A-Za-z0-9]{20,}|CLOJARS_[A-Za-z0-9]{20,}|dt0c01\.[A-Z0-9]{24}\.[A-Z0-9]{20,}|duffel_(test|live)_[A-Za-z0-9_=-]{20,}|EZ[AT]K[A-Za-z0-9]{30,}|fio-u-[A-Za-z0-9_=-]{20,}|(live|test)_[0-9a-f]{30,})", ["duffel_live_~abcdefghijklmnopqrstuv"], ["live_stream"];
    "razorpay, flutterwave, scaleway, snyk, typeform, readme, neon, xai keys" Token ["rzp_", "flwseck", "scw", "snyk_", "tfp_", "rdme_", "napi_", "xai-"], r"(rzp_(live|test)_[A-Za-z0-9]{10,}|FLWSECK(_TEST)?-[A-Za-z0-9]{16,}|(\b|_)SCW[A-Z0-9]{17}(\b|_)|snyk_[us]at\.[A-Za-z0-9._-]{16,}|(\b|_)(tfp|rdme|napi)_[A-Za-z0-9_-]{20,}|(\b|_)xai-[A-Za-z0-9]{20,})", ["rzp_live_~abcdefghij1234", "SCW~ABCDEFGHIJ1234567"], ["rzp_test", "SCWABC", "xai-server"];
    "pagerduty key" Token ["u+"], r"(^|[^A-Za-z0-9])u\+[A-Za-z0-9_-]{18}(\b|_)", ["u+~abcdefghijklmnopqr"], ["u+1", "ru+abcdefghijklmnopqr"];
    "otpauth" Token ["otpauth"], r"(?i)otpauth(-migration)?://", ["otpauth:~//totp/a?secret=JBSW"], ["otpauth"];
    "swarm join token" Token ["swmtkn-", "swmkey-"], r"SWM(TKN|KEY)-1-[A-Za-z0-9+/-]{16,}", ["SWMTKN-1-~abcdefghijklmnopqrst"], ["SWMTKN"];
    "kubernetes bootstrap token" Token ["."], r"(^|[^a-z0-9.])[a-z0-9]{6}\.[a-z0-9]{16}($|[^a-z0-9.])", ["07401b.~f395accd246ae52d"], ["python.1234567890abcdefg"];
};
