use nexus_actors::domain::inquiry::Priority::{High, Low, Medium, Urgent};

use super::Topic;

pub const TOPICS: &[Topic] = &[
    Topic {
        priority: High,
        subjects: ["{product} does not pair", "Cannot connect my {product}"],
        messages: [
            "The {product} blinks orange but the app never finds it. I have tried two phones and \
                restarted everything. What else can I do?",
            "Since we got a new router the {product} no longer connects. The app stops at step 3 with \
                \"device not found\".",
        ],
        replies: [
            "Orange means that the device sees only a 5 GHz network. Please switch on the 2.4 GHz band \
                for the setup, hold the button for eight seconds and start again; afterwards both bands \
                work.",
            "After a change of router the old credentials have to be erased: hold the button for twelve \
                seconds until the light turns white, then add the {product} as a new device. Your schedules \
                are kept in your account.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["App crashes since the update", "Version {version} closes by itself"],
        messages: [
            "Since version {version} the app closes as soon as I open the list of devices. I have already \
                installed it again. Phone and system are up to date.",
            "The update to {version} made the app unusable for us: it crashes when we switch rooms. \
                Everyone on the team sees it.",
        ],
        replies: [
            "Thank you for the report. The crash occurs with more than one home in the account and is \
                solved in the version that follows {version}, which is in the app stores now. Please update \
                and tell me if it still happens.",
            "We could reproduce it. Until the fix is out, choosing a single room under \"Favourites\" \
                avoids the crash. I have linked your report, so you will hear from us as soon as there is an \
                update.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Firmware update does not finish", "Update of the {product} fails"],
        messages: [
            "The firmware update of my {product} has been at 40 % for two hours. Can I unplug it, or will \
                that break it?",
            "Every night the {product} tries to update and in the morning it reports an error. The \
                firmware stays at the old version.",
        ],
        replies: [
            "You can safely unplug it: the old firmware stays in place until the new one has been \
                checked. After it is back, please keep it within a few metres of the hub and start the \
                update by hand.",
            "The update needs 200 MB free on the hub, and yours is nearly full of recordings. I have sent \
                you the steps to clear it; the update to {version} will then run tonight.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Device keeps going offline", "{product} loses its connection"],
        messages: [
            "Every night around three o'clock the {product} goes offline, and it comes back only after I \
                unplug it. It started {days} days ago.",
            "Our {product} drops out several times a day while everything else on the network is fine. \
                The signal is shown as strong. Any idea?",
        ],
        replies: [
            "Your router renews its channel at that hour, and the device does not follow. A fixed channel \
                (1, 6 or 11) in the router's settings solves this; the next firmware will handle it by \
                itself.",
            "The log shows that another device has the same IP address. Please reserve an address for the \
                {product} in your router, or switch on \"automatic\" under network settings in the app.",
        ],
    },
    Topic {
        priority: Urgent,
        subjects: ["Webhooks are no longer delivered", "API: no events since this morning"],
        messages: [
            "Our integration has not received any webhook since 06:40 UTC. The endpoint answers 200 to \
                manual tests. Nothing was changed on our side.",
            "We rely on your events to open tickets, and none have come since this morning. The developer \
                console shows \"paused\". How do we resume them?",
        ],
        replies: [
            "Your endpoint answered with time-outs last night, so deliveries were paused after eight \
                attempts. I have resumed them, and the events of the last 24 hours are being sent again in \
                order.",
            "The pause was caused by an expired certificate on your endpoint; since you renewed it at \
                noon, our checks pass. Deliveries are active again, and you can replay what was missed from \
                the console.",
        ],
    },
    Topic {
        priority: Urgent,
        subjects: ["Locked out: lost my second factor", "Cannot sign in to my account"],
        messages: [
            "I have a new phone and the authenticator app did not move with it. I am the only owner of \
                the account, so nobody can reset it for me. Please help.",
            "The sign-in asks for a code that I no longer receive. My recovery codes are in an office I \
                cannot enter at the moment.",
        ],
        replies: [
            "For your protection we confirm who you are before we remove a second factor. I have sent a \
                link to the address in your profile; follow it within the next hour and you can enrol the \
                new phone.",
            "I have started the recovery for your account. It takes 24 hours, and during that time every \
                sign-in is reported to you by email. Afterwards you can set up a new second factor.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Camera picture is black", "No live view from the Vista camera"],
        messages: [
            "The camera shows a black picture, day and night, but it still reports motion. I have cleaned \
                the lens. It worked until last week.",
            "The live view of our Vista camera stays black on all phones, while the recordings look \
                normal. What could that be?",
        ],
        replies: [
            "The privacy shutter is closed in software: please open the device's page and switch \
                \"Private\" off. It was switched on by a schedule that came with the last update, and I'm \
                sorry for the confusion.",
            "Live pictures use another port than recordings, and your firewall blocks it. Please allow \
                outgoing UDP 3478; the exact list of addresses is on our network page.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Schedules run at the wrong time", "Time zone of automations"],
        messages: [
            "Since the clocks changed, all schedules run an hour late. The time in the app is right. Do I \
                have to enter them all again?",
            "We have homes in two time zones, and the automations always use the first one. Is there a \
                setting for each home?",
        ],
        replies: [
            "You do not have to enter anything again. Please open the home's settings once and confirm \
                the time zone; the schedules then follow it from the next day on.",
            "There is, though it is well hidden: home settings, \"Location\", \"Use local time\". It has \
                to be switched on for each home, and I have done so for both of yours.",
        ],
    },
    Topic {
        priority: Medium,
        subjects: ["Export is empty", "CSV export has only a header"],
        messages: [
            "I wanted to export last month's energy data, and the file has only one line with the column \
                names. The chart shows everything.",
            "Exporting works for a single day, but for the whole month the CSV is empty. We need the \
                figures for our report on Friday.",
        ],
        replies: [
            "The export failed because one sensor had been renamed during the month. This is corrected \
                for your account, and the complete file has been sent to your address.",
            "Exports above 50,000 rows are split, and the second step was not started in your case. I \
                have run it by hand; you will find the file under \"Downloads\" for a week.",
        ],
    },
    Topic {
        priority: Low,
        subjects: ["Voice assistant does not find devices", "Linking with my voice assistant fails"],
        messages: [
            "After linking the accounts the voice assistant says that no new devices were found. All of \
                them work in your app.",
            "The assistant knows the {product} but answers \"not supported\" to every command. It worked \
                with my old one.",
        ],
        replies: [
            "The assistant only sees rooms that are shared with it. Please open \"Linked services\", tick \
                the rooms and ask it to discover devices again.",
            "The command set of the {product} was extended in firmware {version}. I have moved your \
                device to the front of the roll-out, so it should work after tonight's update.",
        ],
    },
    Topic {
        priority: High,
        subjects: ["API answers 429 all the time", "Rate limit too low for our integration"],
        messages: [
            "Our nightly sync of {days} sites gets \"429 Too Many Requests\" after a few seconds. We \
                respect Retry-After. Could our limit be raised?",
            "Since last week the API refuses us at about a hundred requests a minute. The documentation \
                says three hundred for the business plan.",
        ],
        replies: [
            "Thank you for respecting Retry-After. I have raised the limit of your key; in addition, the \
                list endpoints take a `limit` of 100, which saves you most of the requests.",
            "Your key was still tied to the former plan. It has the business limits now, and the response \
                headers will show them within a few minutes.",
        ],
    },
];
