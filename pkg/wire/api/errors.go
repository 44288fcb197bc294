package api

import (
	"fmt"
	"net/http"
	"strings"
)

// Error is a refusal by the profiler. Its message is for the person at the terminal.
type Error struct {
	Status  int    `json:"-"`      // HTTP status code
	Message string `json:"error"`  // what failed and why, in lower case
	Reason  string `json:"reason"` // a word for programs: one of the Reason constants or one of the capturer's
}

func (e *Error) Error() string { return e.Message }

// Reasons of errors of the API itself.
const (
	ReasonBadRequest     = "bad_request"     // a parameter is missing or out of range
	ReasonUnknownCapture = "unknown_capture" // there is no capture with the ID
	ReasonExpired        = "expired"         // the capture's result has been dropped
	ReasonBusy           = "busy"            // too many captures at once
	ReasonInternal       = "internal"        // any other error
)

// BadRequest returns the refusal of a request with a parameter that is missing or out of range.
func BadRequest(format string, a ...any) *Error {
	return &Error{Status: http.StatusBadRequest, Reason: ReasonBadRequest, Message: fmt.Sprintf(format, a...)}
}

// ParameterError is a parameter of a Request that cannot be used. Its text begins with the parameter's name.
type ParameterError struct {
	Parameter string        // the field's name in words, such as "memory profile rate"
	Value     string        // may be empty
	Want      string        // what the value must be; empty if Types is set
	Types     []ProfileType // the types that take the parameter, if the requested ones do not
}

func outOfRange(parameter, value, format string, a ...any) *ParameterError {
	return &ParameterError{Parameter: parameter, Value: value, Want: fmt.Sprintf(format, a...)}
}

func (e *ParameterError) Error() string {
	if len(e.Types) > 0 {
		return fmt.Sprintf("%s: only for type %s", e.subject(), strings.Join(namesOf(e.Types), " or "))
	}
	return fmt.Sprintf("%s: %s", e.subject(), e.Want)
}

// subject returns the parameter with its value.
func (e *ParameterError) subject() string {
	if e.Value == "" {
		return e.Parameter
	}
	return e.Parameter + " " + e.Value
}
