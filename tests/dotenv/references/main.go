// Reads a JSON array of env files on stdin and writes what godotenv and Compose make of each, as a JSON array.
package main

import (
	"encoding/json"
	"os"
	"strings"

	compose "github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/joho/godotenv"
)

type read struct {
	Godotenv any `json:"godotenv"`
	Compose  any `json:"compose"`
}

func outcome(values map[string]string, err error) any {
	if err != nil {
		return "error"
	}
	return values
}

func main() {
	var texts []string
	if err := json.NewDecoder(os.Stdin).Decode(&texts); err != nil {
		panic(err)
	}
	all := make([]read, 0, len(texts))
	for _, text := range texts {
		all = append(all, read{
			outcome(godotenv.Parse(strings.NewReader(text))),
			outcome(compose.ParseWithLookup(strings.NewReader(text), os.LookupEnv)),
		})
	}
	if err := json.NewEncoder(os.Stdout).Encode(all); err != nil {
		panic(err)
	}
}
