package check

import "testing"

// pair is a brief and a message that a careful doctor would sign as it stands.
type pair struct {
	name  string
	brief Brief
	text  string
}

func (p pair) subject() Subject {
	return Subject{Text: p.text, Brief: p.brief, Now: monday, SignOff: "Dr Amara Osei\nCardiology, Riverside Clinic",
		Patient: Identity{Names: []string{"Maria Alvarez"}}, Others: []Identity{{Names: []string{"Grace Young"}}, {Names: []string{"Mark Long"}}},
		Settings: Settings{Grade: 6, MaxWords: 150}, AllowedNumbers: []string{"555-010-0100", "911", "Monday to Friday 8 am to 5 pm"}}
}

var clean = []pair{
	{"dose change", Brief{Kind: "clinical", Inquiry: "Home blood pressure runs 150/90 on losartan 25.", Points: []string{"Go up to 50 mg once a day", "Blood test in 2 weeks"},
		Facts: []Fact{{"f1", "drug", "losartan 50 mg daily"}, {"f2", "date", "Mon 7 Dec"}}},
		"Dear Maria,\n\nThank you for sending your blood pressure numbers. At 150 over 90 they are still too high. Please take losartan 50 mg once a day from now on. Come in for a blood test on Monday, December 7.\n\nIf you feel dizzy or faint, call us at 555-010-0100. If you have chest pain or trouble breathing, call 911."},
	{"normal result", Brief{Kind: "clinical", Inquiry: "Wants thyroid result.", Facts: []Fact{{"f1", "result", "TSH 2.1 mIU/L, normal"}}},
		"Dear Maria,\n\nYour thyroid test is back. Your TSH was 2.1, which is in the normal range. Keep your medicine the same. If you feel very tired or gain weight, please call our office."},
	{"statin", Brief{Kind: "clinical", Inquiry: "Muscle aches on atorvastatin.", Points: []string{"Stop it for two weeks", "Message us how it goes"}, Facts: []Fact{{"f1", "drug", "atorvastatin 20 mg"}}},
		"Hi Maria,\n\nSorry to hear your legs ache. Please stop the atorvastatin 20 mg for 2 weeks and see if the aches go away. Then send us a message. If your urine turns dark or you feel weak, call us the same day."},
	{"antibiotic", Brief{Kind: "clinical", Inquiry: "Burning with urination, culture positive.", Facts: []Fact{{"f1", "drug", "nitrofurantoin 100 mg BID x 5 days"}}, Allergies: "penicillin"},
		"Dear Maria,\n\nYour test shows a bladder infection. Take nitrofurantoin 100 mg twice a day for five days. Always take it with food. Finish all of the pills. Call us if you get a fever or back pain, or if you are not better in 5 days."},
	{"insulin", Brief{Kind: "clinical", Inquiry: "Fasting sugars 160-180.", Points: []string{"Increase glargine from 18 to 20 units at bedtime", "Send sugars in one week"}},
		"Dear Maria,\n\nYour morning sugars are between 160 and 180. Please raise your glargine from 18 to 20 units at bedtime. Send us your numbers in a week. Call if your sugar is low or you feel shaky."},
	{"visit moved", Brief{Kind: "administrative", Inquiry: "Visit of 24 Nov at 9:30 am moves to 1 Dec at 2 pm."},
		"Hello Maria,\n\nYour visit on Tuesday, November 24 at 9:30 a.m. has moved. It is now on Tuesday, December 1 at 2:00 pm. If this does not work for you, please call 555-010-0100."},
	{"form", Brief{Kind: "administrative", Inquiry: "Asks if the school form is ready."},
		"Hello Maria,\n\nYour form is signed and ready. You may pick it up at the front desk. We are open Monday to Friday, 8 am to 5 pm. Call us with any questions."},
	{"cough", Brief{Kind: "clinical", Inquiry: "Cough for 3 days, no fever, denies chest pain or shortness of breath.", Points: []string{"Rest and fluids", "Call if it lasts more than 10 days"}},
		"Dear Maria,\n\nIt sounds like you have a cold. Rest and drink plenty of water. One spoon of honey at night can help. Call us if the cough lasts more than ten days, or if you get a fever. If you have trouble breathing, go to the emergency room."},
	{"half tablet", Brief{Kind: "clinical", Inquiry: "Dizzy on metoprolol.", Facts: []Fact{{"f1", "drug", "metoprolol 25 mg, 0.5 tablet twice daily"}}},
		"Dear Maria,\n\nPlease cut your metoprolol 25 mg tablets. Take half a tablet two times a day. Once you feel steady, you can go back to your walks. Never stop this medicine all at once. Call us if you feel faint."},
	{"chest pain red flag", Brief{Kind: "clinical", Urgency: "urgent", Inquiry: "Chest pain on stairs since Sunday.", Points: []string{"Stress test on Wed 25 Nov at 8:15", "911 if pain at rest"}},
		"Dear Maria,\n\nThank you for telling us about the pain on the stairs. We have booked a stress test for Wednesday, November 25 at 8:15. Do not eat for a few hours before it. If the pain comes at rest or does not go away, call 911 right away. For other questions, call us at 555-010-0100."},
	{"iron", Brief{Kind: "clinical", Inquiry: "Tired.", Facts: []Fact{{"f1", "result", "hemoglobin 10.2 g/dL, ferritin 8"}, {"f2", "drug", "ferrous sulfate 325 mg every other day"}}, Points: []string{"Recheck in 3 months"}},
		"Dear Maria,\n\nYour blood count is a little low at 10.2. Your iron is low too. Please take iron 325 mg every other day. It may turn your stool dark. We will check your blood again in three months. Call us if you feel more tired or your heart races."},
	{"blood thinner", Brief{Kind: "clinical", Inquiry: "INR 3.4 today.", Medications: "warfarin", Points: []string{"Skip tonight, then 4 mg a day", "INR again in 7 days"}},
		"Dear Maria,\n\nYour INR was 3.4 today, a bit above your goal. Skip your warfarin tonight. Then take 4 mg a day. Come back in one week for the next test. Call us if you see bruises, or go to the emergency room if bleeding does not stop."},
	{"type 2 diabetes", Brief{Kind: "clinical", Inquiry: "A1c 6.8%.", History: "Type 2 diabetes since 2015", Points: []string{"Keep metformin 500 mg twice a day", "A1c in 6 months"}},
		"Dear Maria,\n\nGood news about your type 2 diabetes. Your A1c is 6.8%. Please keep taking metformin 500 mg twice daily. We will check your A1c again in 6 months. If you get sick and cannot eat or drink, call us."},
	{"inhaler", Brief{Kind: "clinical", Inquiry: "Wheezes when running.", Facts: []Fact{{"f1", "drug", "albuterol 90 mcg, 2 puffs 15 minutes before exercise"}}},
		"Dear Maria,\n\nUse your albuterol before you run. Take two puffs 15 minutes before you start. You may do this each time. If you need it more than that, or if it does not help, call us. If you cannot catch your breath, call 911."},
	{"after surgery", Brief{Kind: "clinical", Inquiry: "Day 3 after knee surgery, wound dry.", Points: []string{"Ice 20 minutes 4 times a day", "Acetaminophen 650 mg q6h", "No driving until seen on Dec 4"}},
		"Dear Maria,\n\nYour knee looks good on day 3. Use ice for 20 minutes, four times a day. You can take acetaminophen 650 mg every 6 hours for pain. Please do not drive until we see you on December 4. Call us if the skin gets red or hot. A fever or a sore calf needs a call the same day."},
	{"waiting result", Brief{Kind: "clinical", Inquiry: "Asks for biopsy result. Not back yet.", Points: []string{"Expected by 30 November", "We will phone"}},
		"Dear Maria,\n\nI know that waiting is hard. Your test result is not back yet. We expect it by November 30, and I will call you as soon as it comes. If the spot bleeds or hurts more, please let us know."},
}

func TestCleanMessagesRaiseNoAlarm(t *testing.T) {
	t.Parallel()
	for _, p := range clean {
		r := Run(p.subject())
		for _, f := range r.Findings {
			if f.Level > Info {
				t.Errorf("%s: %s %s %v", p.name, f.Check, f.Title, f.Spans)
			}
		}
		grounded := 0
		for _, s := range r.Sentences {
			if len(s.Facts)+len(s.Points) > 0 {
				grounded++
			}
		}
		t.Logf("%s: grade %.1f, %d words, %d of %d sentences rest on the brief", p.name, r.Grade, r.Words, grounded, len(r.Sentences))
	}
}
