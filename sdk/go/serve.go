package connect

// Serve is the main function of a plugin. It never returns.
func Serve(p Plugin) { panic("not yet") }
