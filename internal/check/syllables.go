package check

import "strings"

// syllableCount estimates the spoken syllables of a folded English word by its
// groups of vowels, with the common exceptions. A number counts as one, an
// abbreviation without vowels too.
func syllableCount(word string) int {
	if word == "" || word[0] >= '0' && word[0] <= '9' {
		return 1
	}
	if n, ok := oddSyllables[word]; ok {
		return n
	}
	word = strings.ReplaceAll(word, "'", "")
	n, previous := 0, byte(0)
	for i := 0; i < len(word); i++ {
		if vowel(word[i]) && !vowel(previous) {
			n++
		}
		previous = word[i]
	}
	n += splitVowels(word) - silentEnding(word)
	return max(n, 1)
}

func vowel(c byte) bool { return strings.IndexByte("aeiouy", c) >= 0 && c != 0 }

// splitVowels counts the vowels that stand together and are spoken apart.
func splitVowels(word string) int {
	n := 0
	for _, pair := range []string{"eo", "ia", "io", "iu", "ua", "ue", "ya", "yi"} {
		at := strings.Index(word, pair)
		if at < 0 {
			continue
		}
		before := byte(0)
		if at > 0 {
			before = word[at-1]
		}
		switch {
		case pair == "eo" && strings.Contains(word, "people"):
		case (pair == "io" || pair == "ia") && strings.IndexByte("tscgx", before) >= 0:
		case (pair == "ua" || pair == "ue") && (before == 'q' || before == 'g' || strings.HasSuffix(word, pair)):
		case pair == "ue" && !strings.Contains(word, "uel") && !strings.Contains(word, "uen"):
		case pair == "io" && (strings.HasSuffix(word, "nion") || strings.HasSuffix(word, "llion")):
		case pair == "ya" && at == 0, pair == "yi" && at == 0:
		default:
			n++
		}
	}
	if strings.HasSuffix(word, "ism") {
		n++
	}
	return n
}

// silentEnding counts the vowels at the end that are not spoken.
func silentEnding(word string) int {
	for _, suffix := range []string{"ely", "eful", "eless", "ement", "ements"} {
		if stem, ok := strings.CutSuffix(word, suffix); ok && len(stem) > 1 && !vowel(stem[len(stem)-1]) {
			return 1
		}
	}
	switch n := len(word); {
	case strings.HasSuffix(word, "le") && n > 2 && !vowel(word[n-3]):
		return 0
	case strings.HasSuffix(word, "e") && n > 2 && !vowel(word[n-2]):
		return 1
	case strings.HasSuffix(word, "ed") && n > 3 && !vowel(word[n-3]) && word[n-3] != 't' && word[n-3] != 'd':
		return 1
	case strings.HasSuffix(word, "es") && n > 3 && !vowel(word[n-3]) && strings.IndexByte("szxcg", word[n-3]) < 0 &&
		!strings.HasSuffix(word, "shes") && !strings.HasSuffix(word, "ches") && !(word[n-3] == 'l' && !vowel(word[n-4])):
		return 1
	}
	return 0
}

// oddSyllables are words of this trade and of every day that the rules miss.
var oddSyllables = map[string]int{
	"mg": 3, "mcg": 3, "ml": 3, "every": 2, "evening": 2, "medicine": 3, "area": 3, "being": 2, "science": 2, "quiet": 2,
	"diet": 2, "client": 2, "patient": 2, "patients": 2, "something": 2, "sometimes": 2, "someone": 2, "somewhere": 2, "safety": 2,
	"therefore": 2, "business": 2, "nausea": 3, "diarrhea": 4, "dialysis": 4, "anemia": 4, "pneumonia": 3, "react": 2, "create": 2,
	"idea": 3, "really": 2, "usual": 3, "usually": 4, "fluid": 2, "trial": 2, "dr": 2, "mr": 2, "mrs": 2, "ms": 1, "recipe": 3,
	"doing": 2, "going": 2, "seeing": 2, "everything": 3, "everyone": 3, "poem": 2, "ear": 1, "oxygen": 3, "coming": 2, "breathe": 1,
	"doctor's": 2, "isn't": 2, "doesn't": 2, "didn't": 2, "couldn't": 2, "wouldn't": 2, "shouldn't": 2, "hasn't": 2, "haven't": 2,
	"wasn't": 2, "aren't": 1, "weren't": 1, "lower": 2, "higher": 2, "hours": 1, "our": 1, "hour": 1, "er": 2,
}
