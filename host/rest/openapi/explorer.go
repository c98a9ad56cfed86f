package openapi

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the page
	"encoding/base64"
	"fmt"
)

// Explorer is a page that shows the document and sends requests. It needs nothing from elsewhere.
//
//go:embed explorer.html
var Explorer []byte

// ExplorerPolicy is the Content-Security-Policy of the page: its own script and style, and requests to this worker.
var ExplorerPolicy = fmt.Sprintf("default-src 'none'; script-src '%s'; style-src '%s'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
	hashOf("script"), hashOf("style"))

func hashOf(tag string) string {
	_, rest, _ := bytes.Cut(Explorer, []byte("<"+tag+">"))
	text, _, _ := bytes.Cut(rest, []byte("</"+tag+">"))
	sum := sha256.Sum256(text)
	return "sha256-" + base64.StdEncoding.EncodeToString(sum[:])
}
