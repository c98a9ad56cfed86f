package config

// tlsKeys configure TLS, of the REST API at the top level of a worker and of Kafka
// clients below their prefix.
var tlsKeys = []Key{
	{
		Name: "ssl.protocol", Type: String, Default: Text("TLSv1.3"), Importance: Medium,
		Documentation: "TLS version to start a handshake with.",
	},
	{
		Name: "ssl.provider", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Java security provider; has no meaning here.",
	},
	{
		Name: "ssl.cipher.suites", Type: List, Default: Null(), Importance: Low,
		Documentation: "Cipher suites that may be used; empty means the usual ones.",
	},
	{
		Name: "ssl.enabled.protocols", Type: List, Default: Text("TLSv1.2,TLSv1.3"), Importance: Medium,
		Documentation: "TLS versions that may be used.",
	},
	{
		Name: "ssl.keystore.type", Type: String, Default: Text("JKS"), Importance: Medium,
		Documentation: "Format of the key store: JKS, PKCS12 or PEM.",
	},
	{
		Name: "ssl.keystore.location", Type: String, Default: Null(), Importance: High,
		Documentation: "File with the key and its certificate.",
	},
	{
		Name: "ssl.keystore.password", Type: Password, Default: Null(), Importance: High,
		Documentation: "Password of the key store.",
	},
	{
		Name: "ssl.key.password", Type: Password, Default: Null(), Importance: High,
		Documentation: "Password of the private key in the key store.",
	},
	{
		Name: "ssl.keystore.key", Type: Password, Default: Null(), Importance: High,
		Documentation: "Private key as PEM text.",
	},
	{
		Name: "ssl.keystore.certificate.chain", Type: Password, Default: Null(), Importance: High,
		Documentation: "Certificate chain of the private key as PEM text.",
	},
	{
		Name: "ssl.truststore.certificates", Type: Password, Default: Null(), Importance: High,
		Documentation: "Trusted certificates as PEM text.",
	},
	{
		Name: "ssl.truststore.type", Type: String, Default: Text("JKS"), Importance: Medium,
		Documentation: "Format of the trust store: JKS, PKCS12 or PEM.",
	},
	{
		Name: "ssl.truststore.location", Type: String, Default: Null(), Importance: High,
		Documentation: "File with the trusted certificates.",
	},
	{
		Name: "ssl.truststore.password", Type: Password, Default: Null(), Importance: High,
		Documentation: "Password of the trust store.",
	},
	{
		Name: "ssl.keymanager.algorithm", Type: String, Default: Text("SunX509"), Importance: Low,
		Documentation: "Java key manager algorithm; has no meaning here.",
	},
	{
		Name: "ssl.trustmanager.algorithm", Type: String, Default: Text("PKIX"), Importance: Low,
		Documentation: "Java trust manager algorithm; has no meaning here.",
	},
	{
		Name: "ssl.endpoint.identification.algorithm", Type: String, Default: Text("https"), Importance: Low,
		Documentation: "https checks the host name against the certificate; empty switches the check off.",
	},
	{
		Name: "ssl.secure.random.implementation", Type: String, Default: Null(), Importance: Low,
		Documentation: "Java random generator; has no meaning here.",
	},
	{
		Name: "ssl.engine.factory.class", Type: Class, Default: Null(), Importance: Low,
		Documentation: "Java class that makes TLS engines; has no meaning here.",
	},
}

// saslKeys configure the login to brokers.
var saslKeys = []Key{
	{
		Name: "sasl.kerberos.service.name", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Kerberos principal name of the brokers.",
	},
	{
		Name: "sasl.kerberos.kinit.cmd", Type: String, Default: Text("/usr/bin/kinit"), Importance: Low,
		Documentation: "Path of kinit.",
	},
	{
		Name: "sasl.kerberos.ticket.renew.window.factor", Type: Double, Default: Text("0.8"), Importance: Low,
		Documentation: "Part of a ticket's life after which it is renewed.",
	},
	{
		Name: "sasl.kerberos.ticket.renew.jitter", Type: Double, Default: Text("0.05"), Importance: Low,
		Documentation: "Random part added to the time of renewal.",
	},
	{
		Name: "sasl.kerberos.min.time.before.relogin", Type: Long, Default: Text("60000"), Importance: Low,
		Documentation: "Least milliseconds between two renewals.",
	},
	{
		Name: "sasl.login.refresh.window.factor", Type: Double, Default: Text("0.8"), Importance: Low, Validator: BetweenDouble(0.5, 1.0),
		Documentation: "Part of a token's life after which it is renewed.",
	},
	{
		Name: "sasl.login.refresh.window.jitter", Type: Double, Default: Text("0.05"), Importance: Low, Validator: BetweenDouble(0.0, 0.25),
		Documentation: "Random part added to the time of renewal of a token.",
	},
	{
		Name: "sasl.login.refresh.min.period.seconds", Type: Short, Default: Text("60"), Importance: Low, Validator: Between(0, 900),
		Documentation: "Least seconds between two renewals of a token.",
	},
	{
		Name: "sasl.login.refresh.buffer.seconds", Type: Short, Default: Text("300"), Importance: Low, Validator: Between(0, 3600),
		Documentation: "Seconds before a token ends at which it is renewed at the latest.",
	},
	{
		Name: "sasl.mechanism", Type: String, Default: Text("GSSAPI"), Importance: Medium,
		Documentation: "SASL mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER or GSSAPI.",
	},
	{
		Name: "sasl.jaas.config", Type: Password, Default: Null(), Importance: Medium,
		Documentation: "Login module and its options in JAAS syntax, such as user name and password.",
	},
	{
		Name: "sasl.client.callback.handler.class", Type: Class, Default: Null(), Importance: Medium,
		Documentation: "Java class; has no meaning here.",
	},
	{
		Name: "sasl.login.callback.handler.class", Type: Class, Default: Null(), Importance: Medium,
		Documentation: "Java class; has no meaning here.",
	},
	{
		Name: "sasl.login.class", Type: Class, Default: Null(), Importance: Medium,
		Documentation: "Java class; has no meaning here.",
	},
	{
		Name: "sasl.login.connect.timeout.ms", Type: Int, Default: Null(), Importance: Low,
		Documentation: "Milliseconds to connect to the login server.",
	},
	{
		Name: "sasl.login.read.timeout.ms", Type: Int, Default: Null(), Importance: Low,
		Documentation: "Milliseconds to wait for the login server.",
	},
	{
		Name: "sasl.login.retry.backoff.max.ms", Type: Long, Default: Text("10000"), Importance: Low,
		Documentation: "Longest wait in milliseconds between two login attempts.",
	},
	{
		Name: "sasl.login.retry.backoff.ms", Type: Long, Default: Text("100"), Importance: Low,
		Documentation: "First wait in milliseconds between two login attempts.",
	},
	{
		Name: "sasl.oauthbearer.jwt.retriever.class", Type: Class, Default: Text("org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever"), Importance: Medium,
		Documentation: "Java class that fetches tokens; the default one is built in.",
	},
	{
		Name: "sasl.oauthbearer.jwt.validator.class", Type: Class, Default: Text("org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator"), Importance: Medium,
		Documentation: "Java class that checks tokens; the default one is built in.",
	},
	{
		Name: "sasl.oauthbearer.scope", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Scope to ask a token for.",
	},
	{
		Name: "sasl.oauthbearer.client.credentials.client.id", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Client id for the token server.",
	},
	{
		Name: "sasl.oauthbearer.client.credentials.client.secret", Type: Password, Default: Null(), Importance: Medium,
		Documentation: "Client secret for the token server.",
	},
	{
		Name: "sasl.oauthbearer.assertion.algorithm", Type: String, Default: Text("RS256"), Importance: Medium, Validator: OneOfFold("ES256", "RS256"),
		Documentation: "Algorithm that signs the assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.aud", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Audience claim of the assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.exp.seconds", Type: Int, Default: Text("300"), Importance: Low, Validator: Between(0, 86400),
		Documentation: "Seconds until the assertion ends.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.iss", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Issuer claim of the assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.jti.include", Type: Boolean, Default: Text("false"), Importance: Medium,
		Documentation: "Whether the assertion carries a unique id.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.nbf.seconds", Type: Int, Default: Text("60"), Importance: Low, Validator: Between(0, 3600),
		Documentation: "Seconds in the past from which the assertion is valid.",
	},
	{
		Name: "sasl.oauthbearer.assertion.claim.sub", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Subject claim of the assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.file", Type: String, Default: Null(), Importance: Medium,
		Documentation: "File with a ready assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.private.key.file", Type: String, Default: Null(), Importance: Medium,
		Documentation: "File with the PEM key that signs the assertion.",
	},
	{
		Name: "sasl.oauthbearer.assertion.private.key.passphrase", Type: Password, Default: Null(), Importance: Medium,
		Documentation: "Passphrase of that key.",
	},
	{
		Name: "sasl.oauthbearer.assertion.template.file", Type: String, Default: Null(), Importance: Medium,
		Documentation: "JSON file with further headers and claims of the assertion.",
	},
	{
		Name: "sasl.oauthbearer.scope.claim.name", Type: String, Default: Text("scope"), Importance: Low,
		Documentation: "Name of the scope claim.",
	},
	{
		Name: "sasl.oauthbearer.sub.claim.name", Type: String, Default: Text("sub"), Importance: Low,
		Documentation: "Name of the subject claim.",
	},
	{
		Name: "sasl.oauthbearer.token.endpoint.url", Type: String, Default: Null(), Importance: Medium,
		Documentation: "URL of the token server.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.url", Type: String, Default: Null(), Importance: Medium,
		Documentation: "URL of the keys that check tokens.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.refresh.ms", Type: Long, Default: Text("3600000"), Importance: Low,
		Documentation: "Milliseconds after which those keys are fetched again.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms", Type: Long, Default: Text("10000"), Importance: Low,
		Documentation: "Longest wait in milliseconds between two attempts to fetch those keys.",
	},
	{
		Name: "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms", Type: Long, Default: Text("100"), Importance: Low,
		Documentation: "First wait in milliseconds between two attempts to fetch those keys.",
	},
	{
		Name: "sasl.oauthbearer.clock.skew.seconds", Type: Int, Default: Text("30"), Importance: Low,
		Documentation: "Seconds by which clocks may differ.",
	},
	{
		Name: "sasl.oauthbearer.expected.audience", Type: List, Default: Null(), Importance: Low,
		Documentation: "Audiences that a token may be for.",
	},
	{
		Name: "sasl.oauthbearer.expected.issuer", Type: String, Default: Null(), Importance: Low,
		Documentation: "Issuer that a token must come from.",
	},
	{
		Name: "sasl.oauthbearer.header.urlencode", Type: Boolean, Default: Text("false"), Importance: Low,
		Documentation: "Whether client id and secret are URL-encoded in the request.",
	},
}
