package convert

import (
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// byteTable is a character set of one byte for each character.
type byteTable struct {
	from [256]rune // utf8.RuneError for a byte without a character
	to   map[rune]byte
}

// nextLine is EBCDIC's new line in Unicode.
const nextLine = 0x85

// none stands for a byte that Java has no character for.
const none = utf8.RuneError

// singleByte are those that Java and golang.org/x/text know, with what the two see differently. Both were compared over all bytes and
// characters; those of East Asia differ in hundreds of characters and are not here.
var singleByte = map[string]struct {
	known *charmap.Charmap
	java  map[byte]rune
}{
	"IBM00858":      {charmap.CodePage858, nil},
	"IBM01140":      {charmap.CodePage1140, map[byte]rune{0x15: '\n'}},
	"IBM037":        {charmap.CodePage037, map[byte]rune{0x15: '\n'}},
	"IBM1047":       {charmap.CodePage1047, map[byte]rune{0x15: '\n', 0x25: 0x85}},
	"IBM437":        {charmap.CodePage437, nil},
	"IBM850":        {charmap.CodePage850, nil},
	"IBM852":        {charmap.CodePage852, nil},
	"IBM855":        {charmap.CodePage855, nil},
	"IBM860":        {charmap.CodePage860, nil},
	"IBM862":        {charmap.CodePage862, nil},
	"IBM863":        {charmap.CodePage863, nil},
	"IBM865":        {charmap.CodePage865, nil},
	"IBM866":        {charmap.CodePage866, nil},
	"ISO-8859-13":   {charmap.ISO8859_13, nil},
	"ISO-8859-15":   {charmap.ISO8859_15, nil},
	"ISO-8859-16":   {charmap.ISO8859_16, nil},
	"ISO-8859-2":    {charmap.ISO8859_2, nil},
	"ISO-8859-3":    {charmap.ISO8859_3, nil},
	"ISO-8859-4":    {charmap.ISO8859_4, nil},
	"ISO-8859-5":    {charmap.ISO8859_5, nil},
	"ISO-8859-6":    {charmap.ISO8859_6, nil},
	"ISO-8859-7":    {charmap.ISO8859_7, nil},
	"ISO-8859-8":    {charmap.ISO8859_8, nil},
	"ISO-8859-9":    {charmap.ISO8859_9, nil},
	"KOI8-R":        {charmap.KOI8R, nil},
	"KOI8-U":        {charmap.KOI8U, map[byte]rune{0xae: '╝', 0xbe: '╬'}},
	"TIS-620":       {charmap.Windows874, map[byte]rune{0x80: none, 0x85: none, 0x91: none, 0x92: none, 0x93: none, 0x94: none, 0x95: none, 0x96: none, 0x97: none}},
	"windows-1250":  {charmap.Windows1250, nil},
	"windows-1251":  {charmap.Windows1251, nil},
	"windows-1252":  {charmap.Windows1252, nil},
	"windows-1253":  {charmap.Windows1253, nil},
	"windows-1254":  {charmap.Windows1254, nil},
	"windows-1255":  {charmap.Windows1255, map[byte]rune{0xca: none}},
	"windows-1256":  {charmap.Windows1256, nil},
	"windows-1257":  {charmap.Windows1257, nil},
	"windows-1258":  {charmap.Windows1258, nil},
	"x-MacCyrillic": {charmap.MacintoshCyrillic, map[byte]rune{0xa2: '¢', 0xb6: '∂', 0xff: '¤'}},
	"x-MacRoman":    {charmap.Macintosh, nil},
	"x-MacUkraine":  {charmap.MacintoshCyrillic, map[byte]rune{0xff: '¤'}},
	"x-windows-874": {charmap.Windows874, nil},
}

func newByteTable(name string) *byteTable {
	set := singleByte[name]
	t := &byteTable{to: map[rune]byte{}}
	for i := range t.from {
		b := byte(i)
		r := set.known.DecodeByte(b)
		if r == none && b >= 0x80 && b < 0xa0 && len(name) > 4 && name[:4] == "ISO-" { // control characters
			r = rune(b)
		}
		if other, ok := set.java[b]; ok {
			r = other
		}
		if t.from[i] = r; r == none {
			continue
		}
		if _, twice := t.to[r]; !twice || r == '\n' && b == 0x15 { // of two line feeds EBCDIC writes the new line
			t.to[r] = b
		}
	}
	if _, ok := t.to[nextLine]; !ok && t.from[0x15] == '\n' {
		t.to[nextLine] = 0x15
	}
	return t
}

func (t *byteTable) encode(dst []byte, text string) []byte {
	for _, r := range text {
		b, ok := t.to[r]
		if !ok {
			b = '?'
		}
		dst = append(dst, b)
	}
	return dst
}

func (t *byteTable) decode(b []byte) []byte {
	text := make([]byte, 0, len(b)+8)
	for _, c := range b {
		text = utf8.AppendRune(text, t.from[c])
	}
	return text
}

// charsetNames are Java's names, in lower case, of the character sets that have a table or more than one name.
var charsetNames = map[string]string{
	"ibm037": "IBM037", "037": "IBM037", "cp037": "IBM037", "cpibm37": "IBM037", "cs-ebcdic-cp-ca": "IBM037",
	"cs-ebcdic-cp-nl": "IBM037", "cs-ebcdic-cp-us": "IBM037", "cs-ebcdic-cp-wt": "IBM037", "csibm037": "IBM037",
	"ebcdic-cp-ca": "IBM037", "ebcdic-cp-nl": "IBM037", "ebcdic-cp-us": "IBM037", "ebcdic-cp-wt": "IBM037", "ibm-037": "IBM037",
	"ibm-37": "IBM037",
	"ibm437": "IBM437", "437": "IBM437", "cp437": "IBM437", "cspc8codepage437": "IBM437", "ibm-437": "IBM437",
	"windows-437": "IBM437",
	"ibm850":      "IBM850", "850": "IBM850", "cp850": "IBM850", "cspc850multilingual": "IBM850", "ibm-850": "IBM850",
	"ibm852": "IBM852", "852": "IBM852", "cp852": "IBM852", "cspcp852": "IBM852", "ibm-852": "IBM852",
	"ibm855": "IBM855", "855": "IBM855", "cp855": "IBM855", "cspcp855": "IBM855", "ibm-855": "IBM855",
	"ibm00858": "IBM00858", "858": "IBM00858", "pc-multilingual-850+euro": "IBM00858", "ccsid00858": "IBM00858",
	"cp00858": "IBM00858", "cp858": "IBM00858", "ibm-858": "IBM00858", "ibm858": "IBM00858",
	"ibm860": "IBM860", "860": "IBM860", "cp860": "IBM860", "csibm860": "IBM860", "ibm-860": "IBM860",
	"ibm862": "IBM862", "862": "IBM862", "cp862": "IBM862", "csibm862": "IBM862", "cspc862latinhebrew": "IBM862", "ibm-862": "IBM862",
	"ibm863": "IBM863", "863": "IBM863", "cp863": "IBM863", "csibm863": "IBM863", "ibm-863": "IBM863",
	"ibm865": "IBM865", "865": "IBM865", "cp865": "IBM865", "csibm865": "IBM865", "ibm-865": "IBM865",
	"ibm866": "IBM866", "866": "IBM866", "cp866": "IBM866", "csibm866": "IBM866", "ibm-866": "IBM866",
	"ibm1047": "IBM1047", "1047": "IBM1047", "cp1047": "IBM1047", "ibm-1047": "IBM1047",
	"ibm01140": "IBM01140", "1140": "IBM01140", "ccsid01140": "IBM01140", "cp01140": "IBM01140", "cp1140": "IBM01140",
	"ebcdic-us-037+euro": "IBM01140", "ibm-1140": "IBM01140", "ibm1140": "IBM01140",
	"koi8-r": "KOI8-R", "cskoi8r": "KOI8-R", "koi8": "KOI8-R", "koi8_r": "KOI8-R",
	"koi8-u": "KOI8-U", "koi8_u": "KOI8-U",
	"x-macroman": "x-MacRoman", "macroman": "x-MacRoman",
	"x-maccyrillic": "x-MacCyrillic", "maccyrillic": "x-MacCyrillic",
	"x-macukraine": "x-MacUkraine", "macukraine": "x-MacUkraine",
	"x-windows-874": "x-windows-874", "ms-874": "x-windows-874", "ms874": "x-windows-874", "windows-874": "x-windows-874",
	"tis-620": "TIS-620", "tis620": "TIS-620", "tis620.2533": "TIS-620",
	"iso-8859-2": "ISO-8859-2", "8859_2": "ISO-8859-2", "912": "ISO-8859-2", "iso8859-2": "ISO-8859-2", "iso_8859-2": "ISO-8859-2",
	"iso_8859-2:1987": "ISO-8859-2", "cp912": "ISO-8859-2", "csisolatin2": "ISO-8859-2", "ibm-912": "ISO-8859-2",
	"ibm912": "ISO-8859-2", "iso-ir-101": "ISO-8859-2", "iso8859_2": "ISO-8859-2", "l2": "ISO-8859-2", "latin2": "ISO-8859-2",
	"iso-8859-3": "ISO-8859-3", "8859_3": "ISO-8859-3", "913": "ISO-8859-3", "iso8859-3": "ISO-8859-3", "iso_8859-3": "ISO-8859-3",
	"iso_8859-3:1988": "ISO-8859-3", "cp913": "ISO-8859-3", "csisolatin3": "ISO-8859-3", "ibm-913": "ISO-8859-3",
	"ibm913": "ISO-8859-3", "iso-ir-109": "ISO-8859-3", "iso8859_3": "ISO-8859-3", "l3": "ISO-8859-3", "latin3": "ISO-8859-3",
	"iso-8859-4": "ISO-8859-4", "8859_4": "ISO-8859-4", "914": "ISO-8859-4", "iso_8859-4": "ISO-8859-4",
	"iso_8859-4:1988": "ISO-8859-4", "cp914": "ISO-8859-4", "csisolatin4": "ISO-8859-4", "ibm-914": "ISO-8859-4",
	"ibm914": "ISO-8859-4", "iso-ir-110": "ISO-8859-4", "iso8859-4": "ISO-8859-4", "iso8859_4": "ISO-8859-4", "l4": "ISO-8859-4",
	"latin4":     "ISO-8859-4",
	"iso-8859-5": "ISO-8859-5", "8859_5": "ISO-8859-5", "915": "ISO-8859-5", "iso8859-5": "ISO-8859-5", "iso_8859-5": "ISO-8859-5",
	"iso_8859-5:1988": "ISO-8859-5", "cp915": "ISO-8859-5", "csisolatincyrillic": "ISO-8859-5", "cyrillic": "ISO-8859-5",
	"ibm-915": "ISO-8859-5", "ibm915": "ISO-8859-5", "iso-ir-144": "ISO-8859-5", "iso8859_5": "ISO-8859-5",
	"iso-8859-6": "ISO-8859-6", "1089": "ISO-8859-6", "8859_6": "ISO-8859-6", "asmo-708": "ISO-8859-6", "ecma-114": "ISO-8859-6",
	"iso8859-6": "ISO-8859-6", "iso_8859-6": "ISO-8859-6", "iso_8859-6:1987": "ISO-8859-6", "arabic": "ISO-8859-6",
	"cp1089": "ISO-8859-6", "csisolatinarabic": "ISO-8859-6", "ibm-1089": "ISO-8859-6", "ibm1089": "ISO-8859-6",
	"iso-ir-127": "ISO-8859-6", "iso8859_6": "ISO-8859-6",
	"iso-8859-7": "ISO-8859-7", "813": "ISO-8859-7", "8859_7": "ISO-8859-7", "ecma-118": "ISO-8859-7", "elot_928": "ISO-8859-7",
	"iso_8859-7": "ISO-8859-7", "iso_8859-7:1987": "ISO-8859-7", "cp813": "ISO-8859-7", "csisolatingreek": "ISO-8859-7",
	"greek": "ISO-8859-7", "greek8": "ISO-8859-7", "ibm-813": "ISO-8859-7", "ibm813": "ISO-8859-7", "iso-ir-126": "ISO-8859-7",
	"iso8859-7": "ISO-8859-7", "iso8859_7": "ISO-8859-7", "sun_eu_greek": "ISO-8859-7",
	"iso-8859-8": "ISO-8859-8", "8859_8": "ISO-8859-8", "916": "ISO-8859-8", "iso8859-8": "ISO-8859-8", "iso_8859-8": "ISO-8859-8",
	"iso_8859-8:1988": "ISO-8859-8", "cp916": "ISO-8859-8", "csisolatinhebrew": "ISO-8859-8", "hebrew": "ISO-8859-8",
	"ibm-916": "ISO-8859-8", "ibm916": "ISO-8859-8", "iso-ir-138": "ISO-8859-8", "iso8859_8": "ISO-8859-8",
	"iso-8859-9": "ISO-8859-9", "8859_9": "ISO-8859-9", "920": "ISO-8859-9", "iso8859-9": "ISO-8859-9", "iso_8859-9": "ISO-8859-9",
	"iso_8859-9:1989": "ISO-8859-9", "cp920": "ISO-8859-9", "csisolatin5": "ISO-8859-9", "ibm-920": "ISO-8859-9",
	"ibm920": "ISO-8859-9", "iso-ir-148": "ISO-8859-9", "iso8859_9": "ISO-8859-9", "l5": "ISO-8859-9", "latin5": "ISO-8859-9",
	"iso-8859-13": "ISO-8859-13", "8859_13": "ISO-8859-13", "iso8859-13": "ISO-8859-13", "iso8859_13": "ISO-8859-13",
	"iso_8859-13": "ISO-8859-13",
	"iso-8859-15": "ISO-8859-15", "8859_15": "ISO-8859-15", "923": "ISO-8859-15", "ibm-923": "ISO-8859-15", "ibm923": "ISO-8859-15",
	"iso8859-15": "ISO-8859-15", "iso8859_15": "ISO-8859-15", "iso8859_15_fdis": "ISO-8859-15", "iso_8859-15": "ISO-8859-15",
	"l9": "ISO-8859-15", "latin0": "ISO-8859-15", "latin9": "ISO-8859-15", "latin-9": "ISO-8859-15", "cp923": "ISO-8859-15",
	"csiso885915": "ISO-8859-15", "csisolatin0": "ISO-8859-15", "csisolatin9": "ISO-8859-15",
	"iso-8859-16": "ISO-8859-16", "iso8859_16": "ISO-8859-16", "iso_8859-16": "ISO-8859-16", "iso_8859-16:2001": "ISO-8859-16",
	"csiso885916": "ISO-8859-16", "iso-ir-226": "ISO-8859-16", "l10": "ISO-8859-16", "latin10": "ISO-8859-16",
	"windows-1250": "windows-1250", "cp1250": "windows-1250", "cp5346": "windows-1250",
	"windows-1251": "windows-1251", "ansi-1251": "windows-1251", "cp1251": "windows-1251", "cp5347": "windows-1251",
	"windows-1252": "windows-1252", "cp1252": "windows-1252", "cp5348": "windows-1252", "ibm-1252": "windows-1252",
	"ibm1252":      "windows-1252",
	"windows-1253": "windows-1253", "cp1253": "windows-1253", "cp5349": "windows-1253",
	"windows-1254": "windows-1254", "cp1254": "windows-1254", "cp5350": "windows-1254",
	"windows-1255": "windows-1255", "cp1255": "windows-1255",
	"windows-1256": "windows-1256", "cp1256": "windows-1256",
	"windows-1257": "windows-1257", "cp1257": "windows-1257", "cp5353": "windows-1257",
	"windows-1258": "windows-1258", "cp1258": "windows-1258",
	"utf-8": "UTF-8", "utf8": "UTF-8", "unicode-1-1-utf-8": "UTF-8",
	"iso-8859-1": "ISO-8859-1", "819": "ISO-8859-1", "8859_1": "ISO-8859-1", "ibm-819": "ISO-8859-1", "ibm819": "ISO-8859-1",
	"iso8859-1": "ISO-8859-1", "iso8859_1": "ISO-8859-1", "iso_8859-1": "ISO-8859-1", "iso_8859-1:1987": "ISO-8859-1",
	"iso_8859_1": "ISO-8859-1", "cp819": "ISO-8859-1", "csisolatin1": "ISO-8859-1", "iso-ir-100": "ISO-8859-1", "l1": "ISO-8859-1",
	"latin1":   "ISO-8859-1",
	"us-ascii": "US-ASCII", "646": "US-ASCII", "ansi_x3.4-1968": "US-ASCII", "ansi_x3.4-1986": "US-ASCII", "ascii": "US-ASCII",
	"ibm367": "US-ASCII", "iso646-us": "US-ASCII", "iso_646.irv:1991": "US-ASCII", "ascii7": "US-ASCII", "cp367": "US-ASCII",
	"csascii": "US-ASCII", "default": "US-ASCII", "iso-ir-6": "US-ASCII", "iso_646.irv:1983": "US-ASCII", "us": "US-ASCII",
	"utf-16": "UTF-16", "utf_16": "UTF-16", "unicodebig": "UTF-16", "unicode": "UTF-16", "utf16": "UTF-16",
	"utf-16be": "UTF-16BE", "iso-10646-ucs-2": "UTF-16BE", "utf_16be": "UTF-16BE", "unicodebigunmarked": "UTF-16BE",
	"x-utf-16be": "UTF-16BE",
	"utf-16le":   "UTF-16LE", "utf_16le": "UTF-16LE", "unicodelittleunmarked": "UTF-16LE", "x-utf-16le": "UTF-16LE",
	"utf-32": "UTF-32", "utf32": "UTF-32", "utf_32": "UTF-32",
	"utf-32be": "UTF-32BE", "utf_32be": "UTF-32BE", "x-utf-32be": "UTF-32BE",
	"utf-32le": "UTF-32LE", "utf_32le": "UTF-32LE", "x-utf-32le": "UTF-32LE",
	"x-utf-16le-bom": "x-UTF-16LE-BOM", "unicodelittle": "x-UTF-16LE-BOM",
	"x-utf-32be-bom": "X-UTF-32BE-BOM", "utf-32be-bom": "X-UTF-32BE-BOM", "utf_32be_bom": "X-UTF-32BE-BOM",
	"x-utf-32le-bom": "X-UTF-32LE-BOM", "utf-32le-bom": "X-UTF-32LE-BOM", "utf_32le_bom": "X-UTF-32LE-BOM",
}
