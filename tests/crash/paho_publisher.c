/* SPDX-License-Identifier: BSD-3-Clause */
/* Eclipse Paho's C client as a publisher that loses nothing: its messages are in files until they
 * are delivered, and it connects again for as long as it runs.
 *
 *     paho_publisher URI CLIENT-ID FOLDER
 *
 * Each line of the standard input, "TOPIC QOS NUMBER", is a message. It says "pending T..." at its
 * start, "token T TOPIC NUMBER" when it has taken one, and "done T" when it was delivered.
 * tests/crash/run compiles and runs it. */
#include <MQTTClient.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { AGAIN_US = 20000, LINE_MAX_BYTES = 300 };

static void on_delivered(void *context, MQTTClient_deliveryToken token)
{
    (void)context;
    printf("done %d\n", token);
}

static int on_message(void *context, char *topic, int length, MQTTClient_message *m)
{
    (void)context, (void)length;
    MQTTClient_freeMessage(&m);
    MQTTClient_free(topic);
    return 1;
}

static void keep_connected(MQTTClient c)
{
    MQTTClient_connectOptions o = MQTTClient_connectOptions_initializer;
    o.cleansession = 0;
    o.keepAliveInterval = 60;
    o.connectTimeout = 5;
    o.MQTTVersion = MQTTVERSION_3_1_1;
    while (!MQTTClient_isConnected(c) && MQTTClient_connect(c, &o) != MQTTCLIENT_SUCCESS)
        usleep(AGAIN_US);
}

static void publish(MQTTClient c, char *line)
{
    char topic[LINE_MAX_BYTES], number[LINE_MAX_BYTES];
    MQTTClient_message m = MQTTClient_message_initializer;
    MQTTClient_deliveryToken token;

    if (sscanf(line, "%299s %d %299s", topic, &m.qos, number) != 3) exit(2);
    m.payload = number;
    m.payloadlen = (int)strlen(number);
    for (;;) {
        keep_connected(c);
        if (MQTTClient_publishMessage(c, topic, &m, &token) == MQTTCLIENT_SUCCESS) break;
        usleep(AGAIN_US);
    }
    printf("token %d %s %s\n", token, topic, number);
}

/* Lines until there is none for a while: then the connection is looked after. */
static int serve(MQTTClient c)
{
    static char line[LINE_MAX_BYTES];
    size_t n = 0;

    for (;;) {
        fd_set in;
        struct timeval wait = {0, AGAIN_US};
        FD_ZERO(&in);
        FD_SET(0, &in);
        keep_connected(c);
        if (select(1, &in, NULL, NULL, &wait) <= 0) continue;
        if (read(0, line + n, 1) != 1) return 0;
        if (line[n] != '\n') {
            if (++n == sizeof line) return 2;
            continue;
        }
        line[n] = 0;
        n = 0;
        publish(c, line);
    }
}

static void tell_pending(MQTTClient c)
{
    MQTTClient_deliveryToken *tokens = NULL;

    printf("pending");
    if (!MQTTClient_getPendingDeliveryTokens(c, &tokens) && tokens) {
        for (int i = 0; tokens[i] != -1; i++)
            printf(" %d", tokens[i]);
        MQTTClient_free(tokens);
    }
    printf("\n");
}

int main(int argc, char **argv)
{
    MQTTClient c;

    if (argc != 4) return 2;
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (MQTTClient_create(&c, argv[1], argv[2], MQTTCLIENT_PERSISTENCE_DEFAULT, argv[3])) return 1;
    if (MQTTClient_setCallbacks(c, NULL, NULL, on_message, on_delivered)) return 1;
    tell_pending(c);
    return serve(c);
}
