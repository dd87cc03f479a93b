package sandbox

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// responseFormat is text, json_object or json_schema.
type responseFormat struct {
	Type       string `json:"type"`
	JSONSchema *struct {
		Name   string          `json:"name"`
		Strict bool            `json:"strict"`
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// jsonSchema is the part of JSON Schema that structured outputs use here.
type jsonSchema struct {
	Type       any                    `json:"type"`
	Properties map[string]*jsonSchema `json:"properties"`
	Required   []string               `json:"required"`
	Items      *jsonSchema            `json:"items"`
	Enum       []any                  `json:"enum"`
	Additional *bool                  `json:"additionalProperties"`
}

func (f *responseFormat) wantsJSON() bool { return f != nil && f.Type != "text" }

// problem says what the real service would refuse: a schema that is missing, or not closed when it is strict.
func (f *responseFormat) problem() (param, words string) {
	switch f.Type {
	case "text", "json_object":
		return "", ""
	case "json_schema":
	default:
		return "response_format.type", "Invalid value: '" + f.Type + "'. Supported values are: 'json_object', 'json_schema', and 'text'."
	}
	switch {
	case f.JSONSchema == nil:
		return "response_format.json_schema", "Missing required parameter: 'response_format.json_schema'."
	case f.JSONSchema.Name == "":
		return "response_format.json_schema.name", "Missing required parameter: 'response_format.json_schema.name'."
	}
	var schema jsonSchema
	if err := json.Unmarshal(f.JSONSchema.Schema, &schema); err != nil || schema.Type != "object" {
		return "response_format", fmt.Sprintf("Invalid schema for response_format '%s': schema must be a JSON Schema of 'type: \"object\"'.", f.JSONSchema.Name)
	}
	if f.JSONSchema.Strict {
		if words := schema.open(""); words != "" {
			return "response_format", fmt.Sprintf("Invalid schema for response_format '%s': %s", f.JSONSchema.Name, words)
		}
	}
	return "", ""
}

// open says where a schema leaves something open, which strict mode refuses; "" when it does not.
func (s *jsonSchema) open(at string) string {
	if s == nil {
		return ""
	}
	if s.Type == "object" {
		if s.Additional == nil || *s.Additional {
			return fmt.Sprintf("In context=(%s), 'additionalProperties' is required to be supplied and to be false.", at)
		}
		for _, name := range sortedKeys(maps.Keys(s.Properties)) {
			if !slices.Contains(s.Required, name) {
				return fmt.Sprintf("In context=(%s), 'required' is required to be supplied and to be an array including every key in properties. Missing '%s'.", at, name)
			}
			if words := s.Properties[name].open(at + "'properties', '" + name + "', "); words != "" {
				return words
			}
		}
	}
	return s.Items.open(at + "'items', ")
}

// render writes a draft in the shape the schema asks for. Keys the schema names and a draft does not have get an empty
// value of their type; keys a draft has and the schema does not name are left out.
func (f *responseFormat) render(d draft) string {
	if f.Type == "json_object" {
		return encode(d)
	}
	var schema jsonSchema
	var value any
	if json.Unmarshal(f.JSONSchema.Schema, &schema) != nil || json.Unmarshal([]byte(encode(d)), &value) != nil {
		return encode(d)
	}
	return encode(schema.fit(value))
}

func (s *jsonSchema) fit(value any) any {
	if s == nil {
		return value
	}
	switch s.Type {
	case "object":
		given, _ := value.(map[string]any)
		out := map[string]any{}
		for name, property := range s.Properties {
			out[name] = property.fit(given[name])
		}
		return out
	case "array":
		given, _ := value.([]any)
		out := []any{}
		for _, item := range given {
			out = append(out, s.Items.fit(item))
		}
		return out
	}
	text, isText := value.(string)
	if len(s.Enum) > 0 && (!isText || !slices.Contains(s.Enum, any(text))) {
		return s.Enum[0]
	}
	if value != nil {
		return value
	}
	switch s.Type {
	case "string":
		return ""
	case "number", "integer":
		return 0
	case "boolean":
		return false
	}
	return nil
}

func encode(value any) string {
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if enc.Encode(value) != nil {
		return "{}" // cannot happen: plain values
	}
	return string(bytes.TrimSpace(out.Bytes()))
}
