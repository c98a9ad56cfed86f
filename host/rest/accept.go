package rest

import (
	"cmp"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// mediaRange is an entry of an Accept header.
type mediaRange struct {
	media   string
	params  map[string]string
	quality float64
}

// acceptable reads Accept headers: what is wanted most comes first, what is said in more detail before patterns. None, or a
// blank one, is */*. What cannot be parsed is left out.
func acceptable(headers []string) []mediaRange {
	var list []mediaRange
	for _, line := range headers {
		for part := range strings.SplitSeq(line, ",") {
			media, params, err := mime.ParseMediaType(strings.TrimSpace(part))
			if err != nil {
				continue
			}
			switch {
			case media == "*":
				media = "*/*"
			case !strings.Contains(media, "/"):
				media += "/*"
			}
			if charset, ok := params["charset"]; ok {
				params["charset"] = strings.ToLower(charset)
			}
			r := mediaRange{media, params, 1}
			if q, err := strconv.ParseFloat(params["q"], 64); err == nil {
				r.quality = q
			}
			list = append(list, r)
		}
	}
	if len(strings.TrimSpace(strings.Join(headers, ""))) == 0 {
		return []mediaRange{{media: "*/*", quality: 1}}
	}
	slices.SortStableFunc(list, func(a, b mediaRange) int {
		return cmp.Or(cmp.Compare(b.quality, a.quality), cmp.Compare(strings.Count(a.media, "*"), strings.Count(b.media, "*")))
	})
	return list
}

// isJSON tells whether a media type, or a pattern of them, may be JSON.
func isJSON(media string) bool {
	return media == jsonType || media == "*/*" || media == "*" || media == "*/json" || media == "application/*"
}

// answerType is the content type of an answer in JSON: with the parameters that were asked for. ok is false when JSON is not
// wanted; as in Kafka Connect, q=0 is no such wish.
func answerType(ranges []mediaRange) (contentType string, ok bool) {
	i := slices.IndexFunc(ranges, func(r mediaRange) bool { return isJSON(r.media) })
	if i < 0 {
		return "", false
	}
	if ranges[i].media != jsonType {
		return jsonType, true
	}
	params := maps.Clone(ranges[i].params)
	delete(params, "q")
	return formatMedia(jsonType, params), true
}

func formatMedia(media string, params map[string]string) string {
	return strings.ReplaceAll(mime.FormatMediaType(media, params), "; ", ";")
}

// optionsType is the content type of an answer to OPTIONS: what was asked for. plain tells that a text is taken.
func optionsType(ranges []mediaRange) (contentType string, plain bool) {
	if len(ranges) == 0 {
		return jsonType, false
	}
	switch first := ranges[0]; first.media {
	case "text/plain", "text/*", "*/*":
		return "text/plain", true
	default:
		return formatMedia(first.media, first.params), false
	}
}

// typedAnswers gives answers in JSON another content type.
type typedAnswers struct {
	http.ResponseWriter
	contentType string
}

func (w typedAnswers) WriteHeader(status int) {
	if w.Header().Get("Content-Type") == jsonType {
		w.Header().Set("Content-Type", w.contentType)
	}
	w.ResponseWriter.WriteHeader(status)
}

// Unwrap is for http.ResponseController.
func (w typedAnswers) Unwrap() http.ResponseWriter { return w.ResponseWriter }
