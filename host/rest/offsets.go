package rest

import "net/http"

func (a *api) getOffsets(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := within(r)
	defer cancel()
	offsets, err := a.herder.Offsets(ctx, param(r, "connector"))
	give(w, http.StatusOK, offsets, err)
}
