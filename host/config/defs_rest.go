package config

// restKeys are Tailrace's own keys of the REST API: who is let in, what is written
// down, how much one client may ask.
var restKeys = []Key{
	{
		Name: "rest.auth.users.file", Type: String, Default: Null(), Importance: Medium,
		Documentation: "File of users who may enter with a password: lines of name:hash with bcrypt hashes, as `htpasswd -B` writes them. Read again when it changes.",
	},
	{
		Name: "rest.auth.client.certificates", Type: Boolean, Default: Text("false"), Importance: Medium,
		Documentation: "Whether a client certificate that an https listener has verified is enough to enter. Its subject is the name. Needs ssl.client.auth.",
	},
	{
		Name: "rest.auth.oidc.issuer", Type: String, Default: Null(), Importance: Medium,
		Documentation: "URL of the OpenID Connect issuer whose bearer tokens are taken.",
	},
	{
		Name: "rest.auth.oidc.audience", Type: String, Default: Null(), Importance: Medium,
		Documentation: "Audience (aud) that a token must name.",
	},
	{
		Name: "rest.auth.oidc.jwks.url", Type: String, Default: Null(), Importance: Low,
		Documentation: "URL of the issuer's keys; unset asks the issuer's discovery document.",
	},
	{
		Name: "rest.auth.oidc.user.claim", Type: String, Default: Text("sub"), Importance: Low,
		Documentation: "Claim of a token that is the name of its holder.",
	},
	{
		Name: "rest.auth.oidc.groups.claim", Type: String, Default: Text("groups"), Importance: Low,
		Documentation: "Claim of a token that lists the groups of its holder.",
	},
	{
		Name: "rest.auth.oidc.clock.skew.seconds", Type: Int, Default: Text("30"), Importance: Low, Validator: Between(0, 600),
		Documentation: "Seconds by which the clocks of issuer and worker may differ.",
	},
	{
		Name: "rest.auth.roles.file", Type: String, Default: Null(), Importance: Medium,
		Documentation: "YAML file that gives roles (viewer, operator, admin) to users, groups, tokens and certificates, per pattern of connector names. Unset: everybody who is let in is admin. Read again when it changes.",
	},
	{
		Name: "rest.auth.open.health", Type: Boolean, Default: Text("false"), Importance: Low,
		Documentation: "Whether GET /health is answered to everybody, for probes that cannot log in.",
	},
	{
		Name: "rest.audit.file", Type: String, Default: Null(), Importance: Low,
		Documentation: "File of the audit log, JSON lines; unset writes it to the worker's log.",
	},
	{
		Name: "rest.audit.reads", Type: Boolean, Default: Text("false"), Importance: Low,
		Documentation: "Whether requests that only read are in the audit log too.",
	},
	{
		Name: "rest.max.request.bytes", Type: Int, Default: Text("4194304"), Importance: Low, Validator: Between(1024, 1<<30),
		Documentation: "Size of the largest body of a request.",
	},
	{
		Name: "rest.max.connections", Type: Int, Default: Text("1024"), Importance: Low, Validator: Between(1, 1<<20),
		Documentation: "Connections that a listener serves at once.",
	},
	{
		Name: "rest.max.connections.per.client", Type: Int, Default: Text("512"), Importance: Low, Validator: Between(1, 1<<20),
		Documentation: "Connections that a listener serves at once for one address (IPv6: one network of 64 bits).",
	},
	{
		Name: "rest.max.requests.per.second", Type: Int, Default: Text("1000"), Importance: Low, Validator: Between(0, 1<<30),
		Documentation: "Requests per second of one address; twice as many may come at once. 0 means no limit.",
	},
}
