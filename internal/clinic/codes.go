package clinic

// The sentences for codes: the one place where a provider's number becomes words. Each says what happened, and what to do
// if there is anything to do. Twilio's numbers are those of its error dictionary, SendGrid's words those of its event
// webhook and of its list of errors.

// Configuration says whether a code speaks of our account or settings and not of one message: the provider refuses
// everything we send until somebody changes something. Nothing was sent then; a refusal with such a code is tried again,
// and opens the channel's breaker.
func Configuration(code string) bool { return configuration[code] }

var configuration = map[string]bool{"401": true, "403": true, "credits": true, "sender": true, "no_provider": true,
	"10001": true, "20003": true, "20005": true, "20006": true, "20008": true, "20404": true, "21212": true, "21603": true, "21606": true,
	"21660": true, "21701": true, "21702": true, "21704": true, "21705": true}

// codeWords is a code in a sentence or two.
func codeWords(code string) string {
	for _, table := range []map[string]string{ourCodes, httpCodes, twilioCodes, sendgridCodes} {
		if words, ok := table[code]; ok {
			return words
		}
	}
	if len(code) == 3 {
		switch code[0] {
		case '3':
			return "The provider sent us to another address. " + tell
		case '4':
			return "The provider refused the request, with status " + code + ". " + tell
		case '5':
			return "The provider had an error of its own."
		}
	}
	return "The provider's code is " + code + ". " + tell
}

const (
	tell    = "Tell your administrator."
	checkIt = "Check the number with the patient, or call."
	call    = "Call the patient, or use another address."
)

// ourCodes are what we found out ourselves.
var ourCodes = map[string]string{
	"restored":        "The database was restored, and does not know what was sent after that moment.",
	byHand:            "An administrator paused it.",
	"unreachable":     "The provider could not be reached.",
	"dns":             "The provider's address could not be found.",
	"tls":             "There was no safe connection to the provider.",
	"before_headers":  "The request did not go out.",
	"start_window":    "It was claimed too late to begin.",
	"timeout":         "The provider did not answer in time.",
	"reset":           "The connection broke after the request had gone out.",
	"unreadable":      "The provider's answer could not be read.",
	"not_found":       "The provider was asked and does not have it.",
	"cannot_ask":      "The provider cannot be asked about it.",
	"lease_expired":   "The worker stopped in the middle.",
	"opted_out":       "The patient has opted out of this address. " + call,
	"contact_changed": "The patient's address was changed after signing. It has to be signed again for the new address.",
	"seal":            "What was signed does not match what is stored. " + tell,
	"withdrawn":       "The message was withdrawn.",
	"opened":          "The patient has opened the message meanwhile.",
	"locked":          "The link is locked after five wrong dates of birth.",
	"expired":         "It could not be sent in time. Its doctor decides what to do.",
	"no_provider":     "No provider is set up for this channel. " + tell,
	"other":           "The provider gave a reason that we cannot show.",
}

// httpCodes are plain statuses, where the provider gave no number of its own.
var httpCodes = map[string]string{
	"400": "The provider did not understand the request. " + tell,
	"401": "The provider does not accept our credentials. " + tell,
	"403": "The provider does not let us send: the key lacks the right, or the account is blocked for a while. " + tell,
	"404": "The provider does not know our account. " + tell,
	"405": "The provider does not take requests of this kind. " + tell,
	"406": "The provider does not take requests of this kind. " + tell,
	"413": "The provider says that the message is too large. " + tell,
	"415": "The provider does not take requests of this kind. " + tell,
	"429": "The provider asks us to slow down.",
	"451": "The provider may not process it in its region. " + tell,
	"500": "The provider had an error of its own.",
	"502": "The provider had an error of its own.",
	"503": "The provider was not available.",
	"504": "The provider did not answer in time.",
}

// sendgridCodes are what SendGrid says of an address, in its answers and in its events.
var sendgridCodes = map[string]string{
	"bad_address":          "The e-mail provider does not accept this address. Check it with the patient.",
	"credits":              "The account at the e-mail provider has used up what it may send. " + tell,
	"sender":               "The e-mail provider does not know the address we send from. " + tell,
	"bounce":               "The mailbox does not exist or refused the message. Check the address with the patient.",
	"blocked":              "The receiving mail server blocked the message. It may be tried again later; or call the patient.",
	"dropped":              "The e-mail provider did not try to send it. " + call,
	"dropped_bounced":      "The e-mail provider did not try: mail to this address came back before. Check the address with the patient.",
	"dropped_unsubscribed": "The e-mail provider did not try: this address is on its list of people who want no mail. " + call,
	"dropped_spam":         "The e-mail provider did not try: mail from us was marked as spam at this address before. " + call,
	"not_delivered":        "The e-mail provider reports that it did not arrive, without saying why. Check the address with the patient.",
	"deferred":             "The receiving mail server asks to wait.",
}

// twilioCodes are Twilio's numbers: 1 and 2 are refusals of a request, 3 is what carriers say later, 6 are limits.
var twilioCodes = map[string]string{
	"failed":      "The SMS provider could not send it, and gave no reason.",
	"undelivered": "The carrier could not deliver it, and gave no reason. " + checkIt,
	"canceled":    "It was cancelled at the SMS provider.",

	"10001": "The account at the SMS provider is not active: its balance may be used up. " + tell,
	"20003": "The SMS provider does not accept our credentials, or has suspended the account. " + tell,
	"20005": "The account at the SMS provider is not active: its balance may be used up. " + tell,
	"20006": "The SMS provider denies access. " + tell,
	"20008": "The SMS provider has test credentials from us, which send nothing. " + tell,
	"20404": "The SMS provider does not know what we asked for. " + tell,
	"20429": "The SMS provider asks us to slow down.",
	"20500": "The SMS provider had an error of its own.",
	"20503": "The SMS provider was not available.",

	"14107": "Too many texts went to this number within seconds.",
	"60728": "The account has sent as many texts as it may in an hour.",
	"63038": "The account has sent as many texts as it may in a day. If this comes again, tell your administrator.",
	"21611": "Too many texts are waiting at the SMS provider.",
	"21730": "The SMS provider is under maintenance.",

	"21211": "The number is not a valid phone number. " + checkIt,
	"21212": "The SMS provider does not accept the number we send from. " + tell,
	"21214": "The number cannot be reached. " + checkIt,
	"21217": "The number is not a valid phone number. " + checkIt,
	"21265": "The number is a short code, which cannot receive our texts. " + checkIt,
	"21266": "The number is the clinic's own. " + checkIt,
	"21401": "The number is not a valid phone number. " + checkIt,
	"21407": "The number cannot receive texts. " + checkIt,
	"21408": "Sending texts to this country is switched off. Call the patient, or ask your administrator to switch it on.",
	"21601": "The number we send from cannot send texts. " + tell,
	"21602": "The text was empty. " + tell,
	"21603": "The number we send from is missing. " + tell,
	"21604": "The patient's number was missing. " + tell,
	"21606": "The number we send from cannot send texts to this number. " + tell,
	"21607": "The account is a trial account. " + tell,
	"21608": "The account may send to verified numbers only: a trial account, or one that is not approved yet. " + tell,
	"21609": "The SMS provider does not accept the address for its reports. " + tell,
	"21610": "The patient has opted out by SMS (STOP). " + call,
	"21612": "The number cannot be reached by SMS from ours. Call the patient, or use e-mail.",
	"21614": "The number is not a mobile number. " + checkIt,
	"21617": "The text is too long. " + tell,
	"21624": "The SMS provider does not accept how long the text may wait. " + tell,
	"21635": "The number is a landline. " + checkIt,
	"21659": "The number we send from is not the SMS provider's, or is a short code of another country. " + tell,
	"21660": "The number we send from belongs to another account. " + tell,
	"21701": "The SMS provider does not know our messaging service. " + tell,
	"21702": "Our messaging service cannot send at the moment. " + tell,
	"21703": "Our messaging service has no number that can reach this one. " + tell,
	"21704": "Our messaging service has no number to send from. " + tell,
	"21705": "The SMS provider does not know our messaging service. " + tell,

	"30001": "Too many texts were waiting at the SMS provider. It may be sent again.",
	"30002": "The SMS provider suspended the account before it went out. " + tell,
	"30003": "The phone could not be reached: switched off, or out of range. Try later, or call.",
	"30004": "The phone or its carrier blocked the message. " + call,
	"30005": "The number does not exist or is no longer in use. " + checkIt,
	"30006": "The number is a landline or cannot receive texts. " + checkIt,
	"30007": "The carrier or the SMS provider filtered the message as unwanted. Call the patient, and tell your administrator if it comes again.",
	"30008": "The carrier could not deliver it, and gave no reason. Try later, or call.",
	"30017": "The carrier's network was overloaded. Try later, or call.",
	"30018": "Carriers of this country want our sender to be registered. " + tell,
	"30022": "The carrier takes no more texts from us for now. Try later, or call.",
	"30023": "The carrier takes no more texts from us today. Try tomorrow, or call.",
	"30024": "The carrier does not know the number we send from yet. " + tell,
	"30027": "The carrier takes no more texts from us today. Try tomorrow, or call.",
	"30032": "The toll-free number we send from is not verified. " + tell,
	"30033": "Our registration with the carriers is suspended. " + tell,
	"30034": "The number we send from is not registered with the carriers. " + tell,
	"30035": "The number we send from is still being registered with the carriers. " + tell,
	"30036": "It waited too long at the SMS provider and was given up. It may be sent again.",
	"30410": "The carrier did not answer the SMS provider. Try later, or call.",
	"30450": "The SMS provider has blocked this number for half an hour, for fear of fraud. Try later, or call.",
	"30610": "It is night at the patient's, when the rules allow no such texts (9 p.m. to 8 a.m.). Send it in the daytime, or call.",
}
