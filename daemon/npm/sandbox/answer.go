package sandbox

import (
	"encoding/json"
	"net/http"
)

// answerJSON sends v, as application/json unless another type is set already.
func answerJSON(w http.ResponseWriter, status int, v any) {
	b, err := json.Marshal(v)
	if err != nil {
		http.Error(w, "the sandbox could not encode its answer", http.StatusInternalServerError)
		return
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = w.Write(b)
}

// refuse sends an error as the registry shapes most of its own.
func refuse(w http.ResponseWriter, status int, text string) {
	answerJSON(w, status, map[string]string{"error": text})
}

// refuseMessage sends an error in the shape of the token deletion (B.7).
func refuseMessage(w http.ResponseWriter, status int, text string) {
	answerJSON(w, status, map[string]string{"message": text})
}

// notFound is the registry's word for what is not there, or not to be seen.
func notFound(w http.ResponseWriter) { refuse(w, http.StatusNotFound, "Not found") }
